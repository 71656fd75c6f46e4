/*
 * requests: pairings that wait for an operator. One for each device: a request that asks
 * for nothing new keeps its id, which an operator may be looking at; one that asks for more
 * takes the place of the earlier one, with everything that was asked for so far.
 */
#ifndef ACTORS_AUTH_REQUESTS_H
#define ACTORS_AUTH_REQUESTS_H

#include "actors/auth/devices.h"

#define REQUESTS_MAX 256
#define REQUESTS_TTL_MS 300000
#define REQUESTS_ID_LEN 37

struct pair_request {
    char id[REQUESTS_ID_LEN];
    struct device_identity identity;
    uint32_t roles;
    struct scope_list scopes;
    bool is_repair; /* the device is paired already */
    int64_t created_ms;
};

/*
 * Keeps `request`, whose id, creation and what was asked before are filled in. *ret_is_new:
 * it has a new id, so operators must hear of it. The oldest make room beyond REQUESTS_MAX.
 */
int requests_put(struct store *self, struct pair_request *request, int64_t now_ms, bool *ret_is_new);
/* Not found when it has expired. */
int requests_find(struct store *self, const char *id, int64_t now_ms, bool *ret_is_found,
                  struct pair_request *ret_request);
/* The newest first; stops when `each` returns non-zero, which is returned. */
int requests_each(struct store *self, int64_t now_ms, int (*each)(void *arg, const struct pair_request *request),
                  void *arg);
int requests_drop(struct store *self, const char *id);
int requests_drop_device(struct store *self, const char *device_id);

#endif
