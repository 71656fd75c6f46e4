/*
 * trunk_leaf_internal: the host's end of the trunk as its parts see it: trunk_leaf_join.c
 * greets the gateway, trunk_leaf.c keeps the connection. Only they include this.
 */
#ifndef BUS_TRUNK_LEAF_INTERNAL_H
#define BUS_TRUNK_LEAF_INTERNAL_H

#include "bus/trunk_leaf.h"
#include "bus/trunk_relay.h"
#include "bus/trunk_tap.h"
#include "bus/trunk_watch.h"

#define LEAF_TRY_MS 1000U /* an attempt that has no answer by then is given up */

/* One attempt, or the connection that it became. */
struct leaf_try {
    struct zport port;
    struct zport watch; /* of its socket; never opened when there is none */
    unsigned ports_n;   /* at the end: what is still to be closed */
    struct trunk_leaf *leaf;
};

/* The socket of one attempt, and its watch, which may be NULL. */
struct leaf_socks {
    zsock_t *sock;
    zsock_t *watch;
};

struct trunk_leaf {
    struct trunk_leaf_opts opts;
    uv_loop_t *loop;
    struct node *node; /* NULL: not yet */
    void (*on_over)(void *arg, const char *why);
    void *arg;
    struct trunk_relay *relay;
    struct trunk_taps *taps;
    struct pulse_page *pulses;    /* NULL: nobody watches who hangs */
    bool hangs[PULSE_ACTORS_MAX]; /* those of which that was said */
    struct leaf_try *attempt;     /* NULL: none */
    unsigned tries_n;
    struct leaf_socks joined; /* by which it joined, before there is a loop */
    uint64_t session;
    uint32_t incarnation;
    uint32_t wire;                   /* the version that holds for this connection */
    char release[TRUNK_RELEASE_MAX]; /* of the gateway; empty when it does not say */
    uv_timer_t look;
    uv_timer_t again; /* the next attempt */
    unsigned timers_n;
    uint64_t look_ms;
    uint64_t tried_ms; /* when this attempt began, or the connection that it became */
    uint64_t heard_ms;
    uint64_t lost_ms; /* since when there is no connection */
    uint64_t told_ms;
    unsigned looks_n;
    bool is_silent;
    bool is_over;
};

/* One message as it came. */
struct leaf_arrival {
    struct trunk_head head;
    zmq_msg_t parts[2];
    size_t parts_n;
    bool is_good;
};

/* --- trunk_leaf_join.c ------------------------------------------------------------------- */

/* Connects; false when no socket can be had. */
bool trunk_leaf_dial(struct trunk_leaf *self, struct leaf_socks *ret_socks);
void trunk_leaf_hang_up(struct leaf_socks *socks);
bool trunk_leaf_hello(const struct trunk_leaf *self, void *raw, uint64_t seen);
/* False when there is none. */
bool trunk_leaf_receive(void *raw, struct leaf_arrival *arrival);
void trunk_leaf_arrival_close(struct leaf_arrival *arrival);
struct span trunk_leaf_body(struct leaf_arrival *arrival);
/* False also when it chose a version that was not offered. */
bool trunk_leaf_welcome_read(struct trunk_leaf *self, struct leaf_arrival *arrival, struct trunk_welcome *ret_welcome);
extern const char trunk_leaf_no_answer[];
extern const char trunk_leaf_no_listener[];
/* Says now and then why it does not come in. */
void trunk_leaf_tell(struct trunk_leaf *self, const char *why);
/* How long after an attempt that was refused the next one begins, when there has been no connection for `gone_ms`: an
 * outage lasts a sixteenth longer by that, at most a second. */
uint32_t trunk_leaf_pace(uint64_t gone_ms);

#endif
