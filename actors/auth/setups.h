/*
 * setups: setup codes by a name that opens nothing, so that whoever made one can ask what became of it.
 */
#ifndef ACTORS_AUTH_SETUPS_H
#define ACTORS_AUTH_SETUPS_H

#include "actors/auth/bootstrap.h"

#define SETUPS_ID_LEN 37 /* a UUID, with terminator */
#define SETUPS_KEPT_MS 86400000

/* What a code is good for. */
struct setup_profile {
    const char *name; /* as clients call it */
    uint32_t roles;
    const char *scopes; /* comma list */
    const char *access; /* what it comes to: "limited" or "node" */
};
/* NULL: there is none of that name. An empty name is the profile of a phone. */
const struct setup_profile *setups_profile(struct span name);

struct setup {
    char id[SETUPS_ID_LEN];
    char access[8];
    char device_id[DEVICE_ID_LEN]; /* empty: nobody has used it */
    char device_name[DEVICES_NAME_MAX];
    int64_t done_ms;
};

/* Makes `token` that of a code, and remembers it under a new id; within a transaction. Outcomes everywhere: 0,
 * STORE_E_FULL or a fault. */
int setups_put(struct store *self, const struct setup_profile *profile, const char *token, int64_t now_ms,
               char ret_id[SETUPS_ID_LEN]);
/* The code was used by that device. `ret_is_ours`: it was made here, and its maker may want to know. */
int setups_complete(struct store *self, const struct bootstrap *bootstrap, const struct device_identity *identity,
                    int64_t now_ms, bool *ret_is_ours, struct setup *ret_setup);
/* Not found also once a day has passed. */
int setups_find(struct store *self, const char *id, int64_t now_ms, bool *ret_is_found, struct setup *ret_setup);
/* {setupId, deviceId, deviceName?, access, ts} of one that was used. */
void setups_pack(const struct setup *setup, struct pack *out);

#endif
