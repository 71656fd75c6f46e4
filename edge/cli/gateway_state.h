/*
 * gateway_state: the directories that a gateway keeps its state in, made or refused.
 */
#ifndef EDGE_CLI_GATEWAY_STATE_H
#define EDGE_CLI_GATEWAY_STATE_H

#include <limits.h>
#include <stdbool.h>

struct gateway_state_error {
    char what[PATH_MAX + 256]; /* the path and what is wrong with it */
    char fix[PATH_MAX + 256];  /* what to do about it */
};

enum {
    GATEWAY_STATE_E_REFUSED = 1, /* see the error */
};

/*
 * Makes `path` with its parents (0700) and checks that we may write to it and that it is
 * ours; others lose their access. `name` is for people: "state directory". With
 * `may_link` a symbolic link to a directory will do, without it nothing that somebody
 * else could have put there.
 */
int gateway_state_dir(const char *name, const char *path, bool may_link, struct gateway_state_error *error);

/* Why `path`, gateway.lock in the state directory, cannot be locked: `fault` is what lock_take said. */
void gateway_state_lock_explain(const char *path, int fault, struct gateway_state_error *error);

#endif
