/*
 * config_turn: commands that change the config of this machine do it one after the other, and
 * make a change again that somebody else's stood in the way of.
 */
#ifndef EDGE_CLI_CONFIG_TURN_H
#define EDGE_CLI_CONFIG_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "edge/cli/cli.h"
#include "edge/cli/cli_problem.h"

/*
 * Waits until no other command changes the config, half a minute at most. The descriptor holds the turn until it is
 * closed. Returns an exit code, having explained itself unless it is CLI_EXIT_OK.
 */
int config_turn_take(const struct cli *cli, int *ret_fd);

/* A change that somebody else's stood in the way of is made again, from what the files say then. */
struct config_again {
    uint64_t until_ms; /* 0: not begun */
    bool is_due;
};

/* Notes that somebody else's change came first. False when that has gone on for too long. */
bool config_again_take(struct config_again *self);
/* The same of what went wrong with a request, if that is why: another change, the restart that it caused, or a command
 * that held the lock of the gateway for a moment. */
bool config_again_take_problem(struct config_again *self, const struct cli *cli, const struct cli_problem *problem);
/* After a try that ended with `r`: waits a moment, and tells whether it is to be made again. */
bool config_again_due(struct config_again *self, int r);

#endif
