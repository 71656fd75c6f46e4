/*
 * bootstrap: tokens inside setup codes. One pairs one device, within ten minutes, with the
 * roles and scopes it was issued for, and never again. Only digests are kept.
 *
 * The original's `openclaw qr` issues tokens by writing them into devices/bootstrap.json, and
 * in its later generation into state/openclaw.sqlite; both are looked at when a token is shown
 * which is not known yet.
 */
#ifndef ACTORS_AUTH_BOOTSTRAP_H
#define ACTORS_AUTH_BOOTSTRAP_H

#include "actors/auth/devices.h"

#define BOOTSTRAP_TTL_MS 600000
#define BOOTSTRAP_MAX 256

struct bootstrap {
    unsigned char digest[SECRET_DIGEST];
    uint32_t roles;
    uint32_t scopes;
    int64_t issued_ms;
    char device_id[DEVICE_ID_LEN]; /* bound to; empty: to nobody yet */
    int64_t used_ms;               /* 0: not redeemed */
};

/* The scopes that a setup code can bring. */
uint32_t bootstrap_scopes_allowed(void);

/* Where else tokens may stand; either may be absent. */
struct bootstrap_places {
    const char *file;
    const char *database;
};

/* The token, when it is alive: neither expired nor redeemed. */
int bootstrap_find(struct store *self, const struct bootstrap_places *places, struct span token, int64_t now_ms,
                   bool *ret_is_found, struct bootstrap *ret_bootstrap);
/* From now on it serves this device alone. */
int bootstrap_bind(struct store *self, struct bootstrap *bootstrap, const char *device_id);
/* It has done its work; it is remembered until it would have expired anyway. */
int bootstrap_redeem(struct store *self, const struct bootstrap *bootstrap, int64_t now_ms);
/* A new one: this one. */
int bootstrap_keep(struct store *self, uint32_t roles, uint32_t scopes, int64_t now_ms, const char *token);
/* The same, of its own making. */
int bootstrap_issue(struct store *self, uint32_t roles, uint32_t scopes, int64_t now_ms,
                    char ret_token[SECRET_TOKEN_LEN]);

#endif
