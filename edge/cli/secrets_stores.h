/*
 * secrets_stores: the directories of a state directory in which agents keep credentials of
 * their own: auth-profiles.json, models.json, and the auth.json of old releases.
 */
#ifndef EDGE_CLI_SECRETS_STORES_H
#define EDGE_CLI_SECRETS_STORES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"

#define SECRETS_STORES_MAX 512U

struct secrets_stores {
    char *dirs[SECRETS_STORES_MAX];         /* owned */
    bool is_configured[SECRETS_STORES_MAX]; /* lies where the config says, elsewhere than all others */
    size_t n;
};

/* `doc` is the config, variables replaced. Directories need not exist; links are not followed. */
void secrets_stores_list(struct secrets_stores *self, const char *state_dir, struct span doc);
void secrets_stores_deinit(struct secrets_stores *self);

/* The directory of one agent. False when that is too long, or `id` names none. */
bool secrets_store_of(const char *state_dir, struct span doc, struct span id, char ret_dir[PATH_MAX]);

/* The agent that is meant when none is named, and whether one of that id is configured. */
struct span secrets_store_default_agent(struct span doc);
bool secrets_store_is_agent(struct span doc, const char *id);

#endif
