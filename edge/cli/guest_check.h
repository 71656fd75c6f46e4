/*
 * guest_check: may a machine be allowed these actors? Asked before that is written down, so that nobody finds out by a
 * log: of the gateway that runs on this state directory, or of the state directory when none does.
 */
#ifndef EDGE_CLI_GUEST_CHECK_H
#define EDGE_CLI_GUEST_CHECK_H

#include "bus/curve.h"
#include "edge/cli/cli.h"

/* `before` is what it was allowed so far; no actors when nothing. An exit code, explained. */
int guest_check(const struct cli *cli, const char *dir, const struct curve_peer *before,
                const struct curve_peer *wanted);

enum guest_place {
    GUEST_PLACE_NAMED,   /* the topology of the gateway that runs has that host, or it was allowed actors */
    GUEST_PLACE_MISSING, /* it does not */
    GUEST_PLACE_UNKNOWN, /* none runs, or it cannot be asked */
};
/* Has that host a place? */
enum guest_place guest_check_place(const struct cli *cli, const char *name);

/* A topology that the gateway of `dir` is to run, with those who are allowed to join it: they are added. Calls `on_no`
 * for each that has no place there, with the reason. 0 or a fault. */
int guest_check_topology(const char *dir, struct topology *topology,
                         void (*on_no)(const char *name, const char *why, void *arg), void *arg);

#endif
