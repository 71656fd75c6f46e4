/*
 * replay_gateway: a gateway of its own to try things out: a child of this program with a
 * state directory that goes with it.
 */
#ifndef EDGE_CLI_REPLAY_GATEWAY_H
#define EDGE_CLI_REPLAY_GATEWAY_H

#include <sys/types.h>

#include "edge/cli/cli.h"
#include "edge/cli/replay_script.h"

struct replay_gateway {
    pid_t pid; /* 0: none runs */
    bool is_kept;
    char dir[128];
    struct cli_paths paths; /* how to reach it */
};

struct replay_gateway_opts {
    const char *config;   /* a file to copy; NULL: builtin/echo for every agent of the recording */
    const char *topology; /* or NULL */
    bool is_kept;         /* leave the state directory behind */
};

/* Starts it, and returns when all of it serves. From then on the environment of this process means it. An exit
 * code; what is wrong has been explained. */
int replay_gateway_start(struct replay_gateway *self, const struct replay_gateway_opts *opts,
                         const struct replay_script *script);
/* Ends it in order, and removes what it left, unless it is kept. */
void replay_gateway_stop(struct replay_gateway *self);

#endif
