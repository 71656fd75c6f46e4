/*
 * judge: the whole judgement on one connection: protocol, role, origin, secret, device,
 * pairing, in the order that clients expect. No clock and no bus; the caller brings the
 * time.
 */
#ifndef ACTORS_AUTH_JUDGE_H
#define ACTORS_AUTH_JUDGE_H

#include <stdint.h>

#include "actors/auth/connect.h"
#include "actors/auth/limiter.h"
#include "actors/auth/refusal.h"
#include "actors/auth/secret.h"
#include "actors/auth/settings.h"
#include "actors/auth/store.h"

struct judge {
    struct store *store; /* owned */
    struct secret_key key;
    struct settings settings;
    struct limiter limiter;         /* programs, by address */
    struct limiter browser_limiter; /* pages of this machine, by origin: always on */
};

struct judge_time {
    int64_t wall_ms;
    uint64_t mono_ms;
};

struct judge_ask {
    const struct connect_peer *peer;
    const struct connect_request *request;
    uint32_t protocol; /* the one that this gateway speaks on the connection */
    struct span nonce; /* of its challenge */
    struct judge_time now;
};

struct judge_verdict {
    enum refusal refusal; /* REFUSAL_NONE: come in */
    uint32_t wait_ms;     /* REFUSAL_RATE */
    struct refusal_facts facts;
    enum connect_role role;
    bool is_local;
    const char *method;            /* how it was let in: none, token, password, device-token */
    char device_id[DEVICE_ID_LEN]; /* empty without a device */
    struct store_device device;
    bool is_newly_approved; /* paired, or allowed more, just now */
    char request_id[37];    /* pairing that waits for an operator */
};

/* `self` is zeroed memory. Opens the database. 0 or a fault; deinit copes with either. */
int judge_init(struct judge *self, const char *db_path);
void judge_deinit(struct judge *self);
/* Settings have changed. */
void judge_rules_update(struct judge *self);

/* 0 with the verdict, STORE_E_FULL, or a fault. `ret_verdict` points into itself and the ask. */
int judge_connect(struct judge *self, const struct judge_ask *ask, struct judge_verdict *ret_verdict);
/* The scopes that go with a verdict that lets in, as a packed array. */
void judge_scopes_pack(const struct judge_ask *ask, const struct judge_verdict *verdict, struct pack *out);

/* The same for an HTTP request: the gateway's secret; in mode none, being on this machine. */
enum refusal judge_bearer(struct judge *self, const struct connect_peer *peer, struct span bearer,
                          struct judge_time now, uint32_t *ret_wait_ms);

#endif
