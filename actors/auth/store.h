/*
 * store: auth's database: paired devices with their roles and tokens, requests that wait
 * for an operator, and the generation number.
 */
#ifndef ACTORS_AUTH_STORE_H
#define ACTORS_AUTH_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/auth/device.h"
#include "actors/auth/secret.h"

#define STORE_PENDING_MAX 256
#define STORE_PENDING_TTL_MS 300000
#define STORE_ROLES_MAX 64

struct store;

enum {
    STORE_E_FULL = 1, /* the disk is full or failing: nothing was changed */
};

/* What is known about a device, seen from one role. */
struct store_device {
    bool is_paired;
    char platform[DEVICE_META_MAX];
    char device_family[DEVICE_META_MAX];
    char roles[STORE_ROLES_MAX]; /* comma list of what it is approved for */
    bool has_role;
    uint32_t scopes; /* approved for the role */
    char token[SECRET_TOKEN_LEN];
    int64_t issued_at_ms;
};

/* Who asks, normalized; texts are borrowed. */
struct store_identity {
    const char *device_id;
    const char *public_key;
    const char *role;
    const char *platform;
    const char *device_family;
    struct span client_id;
    struct span client_mode;
    struct span display_name;
    struct span remote;
};

/* Opens or creates the file (0600). 0 or a fault; -EPROTONOSUPPORT when a newer version wrote it. */
int store_open(const char *path, struct store **ret_store);
void store_close(struct store **store_p);

int store_device_find(struct store *self, const char *device_id, const char *role, struct store_device *ret_device);
/* Pairs, adds the role or widens its scopes; committed when it returns. A token that exists stays. */
int store_device_approve(struct store *self, const struct store_identity *identity, uint32_t scopes, int64_t now_ms,
                         struct store_device *ret_device);
/* Keeps a request for an operator to decide; one for each device, role and reason. */
int store_pending_put(struct store *self, const struct store_identity *identity, uint32_t scopes, const char *reason,
                      int64_t now_ms, char ret_request_id[37]);

/*
 * The generation of decisions: one more than last time when `settings` (a description of
 * what decisions depend on) differs from last time, else the same.
 */
int store_generation(struct store *self, struct span settings, uint64_t *ret_generation);

#endif
