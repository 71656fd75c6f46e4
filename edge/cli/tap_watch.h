/*
 * tap_watch: a watcher of the running gateway of this state directory, or of one elsewhere.
 *
 * Here it binds a socket that can only receive and has the gateway's processes connect to it; the
 * control connection keeps it attached, so it ends with us however we end. Elsewhere it is
 * tap_remote that watches.
 */
#ifndef EDGE_CLI_TAP_WATCH_H
#define EDGE_CLI_TAP_WATCH_H

#include "edge/cli/cli.h"
#include "edge/cli/control_client.h"
#include "edge/cli/tap_remote.h"
#include "bus/tap_order.h"

#define TAP_WATCH_PATH_MAX 160

struct tap_watch {
    const char *filter_text; /* NULL: everything */
    bool with_bodies;
    bool with_times;
    bool with_sessions;
    bool is_prompt;     /* gives records as they come, without waiting for others that may be older */
    bool follows;       /* a gateway that goes away is waited for: tap_watch_again */
    bool may_be_remote; /* the command has the options that name a gateway */
    int also_fd;        /* what else ends a wait when it can be read; 0: nothing */
    /* Is given every record that fits, in the order of time. Borrowed for the call. */
    void (*on_record)(void *arg, const struct tap_record *record);
    void *arg;
    /* Its own: */
    struct tap_filter filter;
    bool is_remote;
    struct tap_remote remote;
    struct control_client client;
    const char *control_path; /* borrowed, as the command line's */
    int gateway_fd;           /* of its process; 0: not known */
    void *context;
    void *pull;
    char path[TAP_WATCH_PATH_MAX];
    struct tap_calls *calls;
    struct tap_order order;
    uint64_t dropped_before; /* of gateways before this one */
};

/* Zeroed but for this, and what it is to do. */
#define TAP_WATCH_INIT .client = CONTROL_CLIENT_INIT

/* CLI_EXIT_OK, or CLI_EXIT_USAGE after having shown where the filter is wrong. */
int tap_watch_filter(const char *text, struct tap_filter *ret_filter);
/* An exit code; what is wrong has been explained. Every process has been told when it returns. */
int tap_watch_open(struct tap_watch *self, const struct cli *cli);
/* Waits for records, `timeout_ms` at most (-1: as long as it takes; a signal ends it too). An
 * exit code: CLI_EXIT_UNAVAILABLE when the gateway has ended or makes way for its new program, after the last of its
 * records. */
int tap_watch_step(struct tap_watch *self, long timeout_ms);
/* For who follows, after CLI_EXIT_UNAVAILABLE, which was not explained: says that the gateway has gone away, and
 * attaches to the next one as soon as it is there, and says what was not seen. An exit code; CLI_EXIT_OK also when
 * interrupted, or when `end_ms` of the steady clock has come. */
int tap_watch_again(struct tap_watch *self, const struct cli *cli, uint64_t end_ms);
/* What the gateway counts of its actors is appended. An exit code. */
int tap_watch_actors(struct tap_watch *self, const struct cli *cli, struct pack *ret_actors);
/* Records that were lost so far. */
uint64_t tap_watch_dropped(const struct tap_watch *self);
/* Gives what is still held back, and tells on standard error what was lost. */
void tap_watch_rest(struct tap_watch *self);
void tap_watch_close(struct tap_watch *self);

/* SIGINT and SIGTERM end the waiting instead of the program from now on. */
void tap_watch_signals(void);
bool tap_watch_is_interrupted(void);

#endif
