/*
 * manage: what operators do with devices: device.pair.* and device.token.*, bounded by what
 * they may do themselves. The answer is packed here; the actor sends it, and tells others.
 */
#ifndef ACTORS_AUTH_MANAGE_H
#define ACTORS_AUTH_MANAGE_H

#include "actors/auth/requests.h"

/* Who asks. */
struct manage_caller {
    uint32_t scopes;
    struct span device_id; /* of a connection that lives by its device token, else empty */
    struct span own_id;    /* of the device behind the connection, however it came in; may be empty */
};

enum {
    MANAGE_E_REFUSED = 2, /* the text says why */
};

#define MANAGE_TEXT_MAX 192

struct manage_result {
    struct pack *out;           /* the answer of the method; owned by the caller, empty */
    char text[MANAGE_TEXT_MAX]; /* MANAGE_E_REFUSED */
    char request_id[REQUESTS_ID_LEN];
    char device_id[DEVICE_ID_LEN];
    enum connect_role role;
};

/* Every one: 0, MANAGE_E_REFUSED, STORE_E_FULL or a fault. Committed when 0 is returned. */
int manage_list(struct store *store, const struct manage_caller *caller, int64_t now_ms, struct manage_result *result);
int manage_approve(struct store *store, const struct manage_caller *caller, struct span request_id, int64_t now_ms,
                   struct manage_result *result);
int manage_reject(struct store *store, const struct manage_caller *caller, struct span request_id, int64_t now_ms,
                  struct manage_result *result);
int manage_remove(struct store *store, const struct manage_caller *caller, struct span device_id,
                  struct manage_result *result);
int manage_rename(struct store *store, const struct manage_caller *caller, struct span device_id, struct span label,
                  struct manage_result *result);
/* `scopes`: packed array, or empty for those that the token has. */
int manage_rotate(struct store *store, const struct manage_caller *caller, struct span device_id, struct span role,
                  struct span scopes, int64_t now_ms, struct manage_result *result);
int manage_revoke(struct store *store, const struct manage_caller *caller, struct span device_id, struct span role,
                  int64_t now_ms, struct manage_result *result);

/* The members of a request as the event device.pair.requested has them, into an open map. */
void manage_request_pack(const struct pair_request *request, struct pack *out);

#endif
