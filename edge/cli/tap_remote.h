/*
 * tap_remote: a watcher of a gateway that is reached over the protocol, as operator.admin.
 *
 * The gateway puts the records into order and judges them by the filter; a connection that
 * is too slow loses some, which are counted.
 */
#ifndef EDGE_CLI_TAP_REMOTE_H
#define EDGE_CLI_TAP_REMOTE_H

#include "bus/tap_record.h"
#include "edge/cli/cli_rpc.h"

struct tap_remote_wish {
    const char *filter; /* NULL: everything; borrowed until it is closed */
    bool with_bodies;
    bool with_times;
    bool with_sessions;
    bool follows; /* what a restart brings about is not explained, but waited for (tap_remote_again) */
    void (*on_record)(void *arg, const struct tap_record *record); /* borrowed for the call */
    void *arg;
};

struct tap_remote {
    struct cli_rpc rpc;
    struct tap_remote_wish wish;
    uint64_t timeout_ms;     /* of one request */
    uint64_t dropped;        /* as the gateway said last, and ... */
    uint64_t dropped_before; /* ... what others before it said */
    bool is_interrupted;
    bool is_subscribed;
    bool is_odd; /* something that came was not understood; that was said */
};

/* Is a gateway meant that is not asked over its control socket? The command line or the environment names one, or
 * none runs here and the config names another. */
bool tap_remote_is_meant(const struct cli *cli);

/* Exit codes; what is wrong has been explained, but for CLI_EXIT_UNAVAILABLE of who follows. `self` must stay where it
 * is until it is closed. */
int tap_remote_open(struct tap_remote *self, const struct cli *cli, const struct tap_remote_wish *wish);
/* Lets records come, `timeout_ms` at most (-1: as long as it takes). Ends with the first ones. */
int tap_remote_step(struct tap_remote *self, long timeout_ms);
/* The connection is gone: one more attempt to have another, after so long. */
int tap_remote_again(struct tap_remote *self, uint64_t pause_ms);
/* The answer of bus.actors.list is appended. */
int tap_remote_actors(struct tap_remote *self, struct pack *ret_actors);
/* Ends the tap; what the gateway still held is given. Of a connection that is gone nothing more comes. */
void tap_remote_rest(struct tap_remote *self);
void tap_remote_close(struct tap_remote *self);

#endif
