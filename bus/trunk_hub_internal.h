/*
 * trunk_hub_internal: the gateway's end of the trunks as its parts see it: trunk_hub.c keeps
 * the hosts, trunk_keys.c hears of changes of who may join, trunk_greet.c lets them in, trunk_knock.c tells of those
 * that are let no further, trunk_words.c knows what they may say, trunk_gone.c sees that one has gone. Only they
 * include this.
 */
#ifndef BUS_TRUNK_HUB_INTERNAL_H
#define BUS_TRUNK_HUB_INTERNAL_H

#include "bus/trunk.h"
#include "bus/trunk_hub.h"
#include "bus/trunk_relay.h"
#include "bus/trunk_watch.h"
#include "bus/trunk_zap.h"

#define ROUTING_MAX 255U
#define TRUNK_HUB_DENIED "the key of this host was denied"

struct hub_peer {
    struct trunk_hub *hub;
    const struct topology_host *host;
    struct trunk_relay *relay; /* NULL: none of its lives is here */
    uint32_t incarnation;
    uint32_t wire;                  /* the version that holds for its connection */
    char key[TOPOLOGY_KEY_LEN + 1]; /* by which it came */
    uint8_t routing[ROUTING_MAX];   /* of the connection of the moment */
    size_t routing_len;             /* 0: there is none */
    size_t heard_len;               /* of one that has ended, too, as its last words may come after that; 0: no more */
    uint64_t heard_ms;
    uint64_t lost_ms; /* when its connection ended; 0: it did not, or that was waited for long enough */
    bool is_silent;
    uint64_t knocked_ms; /* when it was last told of as one that knocks; 0: it is not */
};

struct trunk_hub {
    struct trunk_hub_opts opts;
    struct zport router;
    struct trunk_zap zap;
    struct zport watch; /* of the router; never opened when there is none */
    uv_timer_t look;
    uv_timer_t probe;   /* a connection has ended: whose was it? */
    uv_fs_event_t keys; /* who may join has changed */
    uv_timer_t keys_settle;
    uint64_t keys_inode;  /* of the directory that is watched; 0: that is over, or may be */
    uint64_t keys_device; /* on which it is */
    uint64_t stranger_ms; /* when it was last looked who a stranger may be */
    unsigned probes_n;    /* that are still to come */
    uint64_t look_ms;
    unsigned looks_n;
    unsigned open_n;        /* at the end: what is still to be closed */
    struct hub_peer *peers; /* TOPOLOGY_HOSTS_MAX; none moves */
    size_t peers_n;
    uint32_t incarnation; /* the highest of any host: the next guest goes on from there */
};

/* One message as it came. */
struct arrival {
    uint8_t routing[ROUTING_MAX];
    size_t routing_len;
    struct curve_peer user; /* whose key it has */
    struct trunk_head head;
    zmq_msg_t parts[2];
    size_t parts_n;
};

/* --- trunk_hub.c ------------------------------------------------------------------------- */

/* False when that connection is gone. The frames stay the caller's. */
bool trunk_hub_send(struct trunk_hub *self, const uint8_t *routing, size_t routing_len, const struct trunk_head *head,
                    const zmq_msg_t *const *parts, size_t parts_n);
/* What stands behind its head; empty when nothing does. */
struct span trunk_hub_part(struct arrival *arrival, size_t i);
/* An answer to a HELLO. */
void trunk_hub_body_send(struct trunk_hub *self, const uint8_t *routing, size_t routing_len, enum trunk_kind kind,
                         const struct pack *pack);
/* The life before, if there is one, ends, and the next one begins. */
int trunk_hub_begin(struct hub_peer *peer);
/* Nothing is heard of it, or it is heard of again. */
void trunk_hub_silence(struct hub_peer *peer, bool is_silent);

/* --- trunk_keys.c ------------------------------------------------------------------------ */

int trunk_hub_keys_watch(struct trunk_hub *self);
/* Is what is watched still the list? It may have been moved away, and another one put in its place. */
void trunk_hub_keys_look(struct trunk_hub *self);

/* --- trunk_knock.c ----------------------------------------------------------------------- */

/* A key that is not allowed. Of trunk_zap, with the hub. */
void trunk_hub_on_stranger(void *arg, struct span address, const char *key);
/* One that has a name, and was told no. */
void trunk_hub_knock_refused(struct trunk_hub *self, const struct curve_peer *user, enum trunk_no code,
                             const char *reason);
/* Who has been quiet does not knock any more. */
void trunk_hub_knock_sweep(struct trunk_hub *self, uint64_t now_ms);

/* --- trunk_greet.c ----------------------------------------------------------------------- */

/* A no. */
void trunk_hub_refuse(struct trunk_hub *self, const uint8_t *routing, size_t routing_len, enum trunk_no code,
                      const char *reason);
/* Answers a HELLO. `peer` is NULL when there is no such host. */
void trunk_greet(struct trunk_hub *self, struct hub_peer *peer, struct arrival *arrival);

/* --- trunk_gone.c ------------------------------------------------------------------------ */

/* Its connection has ended; it may connect again, and go on. */
void trunk_hub_lost(struct hub_peer *peer);
/* Nothing more is said or heard by its connection. */
void trunk_hub_drop(struct hub_peer *peer);
/* It has no connection: once that has been so for long enough, it is silent. */
void trunk_hub_gone(struct hub_peer *peer, uint64_t now_ms);
/* Turns of `watch`, with the hub. */
bool trunk_hub_on_ends(void *arg);

/* --- trunk_words.c ----------------------------------------------------------------------- */

/* Why a message with this header is not taken from that host; NULL when it is. */
const char *trunk_word_refusal(const struct topology *topology, const struct topology_host *host, struct span header);

#endif
