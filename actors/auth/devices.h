/*
 * devices: the paired devices, what they are approved for, and their tokens.
 *
 * A token is derived, never kept: the database holds a number that went into it and its
 * digest. It is replaced in two phases: the older one stays good until the newer one was
 * used once, so that a client which never heard of the change is not shut out.
 */
#ifndef ACTORS_AUTH_DEVICES_H
#define ACTORS_AUTH_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/auth/device.h"
#include "actors/auth/scopes.h"
#include "actors/auth/store.h"

#define DEVICES_ROLES 2 /* operator and node */
#define DEVICES_NAME_MAX 257
#define DEVICES_TEXT_MAX 129
#define DEVICES_ADDRESS_MAX 64
#define DEVICES_LABEL_MAX 65

/* A set of roles, one bit for each enum connect_role. */
#define DEVICES_ROLES_TEXT_MAX 24
void devices_roles_format(uint32_t roles, char text[DEVICES_ROLES_TEXT_MAX]);
uint32_t devices_roles_parse(const char *text);

/* What a device says of itself. */
struct device_identity {
    char id[DEVICE_ID_LEN];
    char public_key[DEVICE_KEY_LEN];
    char display_name[DEVICES_NAME_MAX];
    char platform[DEVICES_TEXT_MAX];
    char device_family[DEVICES_TEXT_MAX];
    char client_id[DEVICES_TEXT_MAX];
    char client_mode[DEVICES_TEXT_MAX];
    char remote_ip[DEVICES_ADDRESS_MAX]; /* empty: this machine */
    enum connect_role role;
};
/* As nine columns of a row in the order of its members: read from column `at` on, bound from parameter `at` on. */
void devices_identity_read(sqlite3_stmt *stmt, int at, struct device_identity *ret_identity);
void devices_identity_bind(sqlite3_stmt *stmt, int at, const struct device_identity *identity);

/* What it may do in one role; there when `is_approved`. */
struct device_token {
    bool is_approved;
    bool is_usable; /* neither revoked nor without a digest */
    uint32_t scopes;
    int64_t created_ms;
    int64_t rotated_ms; /* 0: never */
    int64_t revoked_ms; /* 0: never */
    int64_t serial;
    unsigned char digest[SECRET_DIGEST];
    unsigned char older_digest[SECRET_DIGEST];
    bool has_older;
};

struct device_record {
    struct device_identity identity;
    char label[DEVICES_LABEL_MAX]; /* an operator's name for it; empty: none */
    struct scope_list scopes;      /* approved, over all roles */
    int64_t created_ms;
    int64_t approved_ms;
    struct device_token tokens[DEVICES_ROLES]; /* by enum connect_role */
};

/* `role` and below: "not approved". Outcomes everywhere: 0, STORE_E_FULL or a fault. */
int devices_find(struct store *self, const char *id, bool *ret_is_found, struct device_record *ret_record);
/* Calls `each` for every device, newest approval first; stops when it returns non-zero, which is returned. */
int devices_each(struct store *self, int (*each)(void *arg, const struct device_record *record), void *arg);
uint32_t devices_roles(const struct device_record *record);
/* Roles that can be used now: not revoked. */
uint32_t devices_roles_usable(const struct device_record *record);

/*
 * Pairs the device or adds to what it is approved for. `scopes` are those of an operator;
 * each role of `roles` gets a token, a new one where there was one that can be used.
 * ret_record tells how it is now.
 */
int devices_approve(struct store *self, const struct device_identity *identity, uint32_t roles,
                    const struct scope_list *scopes, int64_t now_ms, struct device_record *ret_record);
/* The device must be there. */
int devices_label(struct store *self, const char *id, struct span label);
int devices_remove(struct store *self, const char *id, bool *ret_was_there);
/* A new token for a role that is approved, with these scopes. Updates `record`. */
int devices_token_rotate(struct store *self, struct device_record *record, enum connect_role role, uint32_t scopes,
                         int64_t now_ms);
int devices_token_revoke(struct store *self, struct device_record *record, enum connect_role role, int64_t now_ms);

enum devices_match {
    DEVICES_MATCH_NONE,
    DEVICES_MATCH_OLDER, /* replaced, and the newer one never used: still good */
    DEVICES_MATCH_NEWEST,
};
/* In constant time over both. */
enum devices_match devices_token_match(const struct device_token *token, struct span given);
/* The newest token has been used: the older one is void from now on. */
int devices_token_settle(struct store *self, struct device_record *record, enum connect_role role);
/*
 * The token to tell the client. One that was not derived here (imported) cannot be told; it
 * is replaced, in two phases like any other.
 */
int devices_token_tell(struct store *self, struct device_record *record, enum connect_role role,
                       char ret_token[SECRET_TOKEN_LEN]);
/* For imports: a token known from elsewhere. */
int devices_import(struct store *self, const struct device_record *record);

#endif
