/*
 * judge: the whole judgement on one connection: protocol, role, origin, device, proof,
 * pairing, in the order that clients expect. No clock and no bus; the caller brings the
 * time.
 */
#ifndef ACTORS_AUTH_JUDGE_H
#define ACTORS_AUTH_JUDGE_H

#include <limits.h>
#include <stdint.h>

#include "actors/auth/bootstrap.h"
#include "actors/auth/connect.h"
#include "actors/auth/guard.h"
#include "actors/auth/pairing.h"
#include "actors/auth/refusal.h"
#include "actors/auth/requests.h"
#include "actors/auth/secret.h"
#include "actors/auth/settings.h"
#include "actors/auth/setups.h"
#include "actors/auth/store.h"

struct judge {
    struct store *store; /* owned */
    struct secret_key key;
    struct settings settings;
    uint32_t owner_uid;            /* of this process */
    char bootstrap_file[PATH_MAX]; /* of the original; empty: none */
    char bootstrap_db[PATH_MAX];   /* of its later generation */
    struct guards guards;          /* last, because it is large and mostly untouched */
};

struct judge_time {
    int64_t wall_ms;
    uint64_t mono_ms;
};

/* What tailscaled said about the address in a claim of Tailscale Serve. */
struct judge_whois {
    bool is_known;
    char login[PROXY_USER_MAX];
};

struct judge_ask {
    const struct connect_peer *peer;
    const struct connect_request *request;
    uint32_t protocol; /* the one that this gateway speaks on the connection */
    struct span nonce; /* of its challenge */
    struct judge_time now;
    const struct judge_whois *whois; /* NULL: tailscaled was not asked */
};

struct judge_token {
    bool is_there;
    char text[SECRET_TOKEN_LEN];
    uint32_t scopes;
    int64_t issued_at_ms;
};

struct judge_verdict {
    enum refusal refusal; /* REFUSAL_NONE: come in */
    uint32_t wait_ms;     /* REFUSAL_RATE */
    struct refusal_facts facts;
    enum connect_role role;
    bool is_local;
    enum pairing_proof proof;
    const char *method; /* how it was let in; see auth_decision */
    char user[PROXY_USER_MAX];
    char header[PROXY_NAME_MAX];   /* that a proxy did not send */
    char device_id[DEVICE_ID_LEN]; /* empty without a device */
    bool is_paired;                /* with a device: `record` holds for the time after this connection, too */
    struct device_record record;
    struct judge_token tokens[DEVICES_ROLES]; /* to tell the client, by role */
    bool is_newly_approved;                   /* paired, or allowed more, just now */
    bool is_newly_asked;                      /* `request` waits for an operator, who must hear of it */
    struct pair_request request;              /* its id also when newly approved */
    char approved_roles[DEVICES_ROLES_TEXT_MAX];
    bool is_setup_done; /* with a setup code that this gateway made */
    struct setup setup;
};

/* `self` is zeroed memory. Opens the database. 0 or a fault; deinit copes with either. */
int judge_init(struct judge *self, const char *db_path);
void judge_deinit(struct judge *self);
/* Settings have changed. */
void judge_rules_update(struct judge *self);

/* Must tailscaled be asked before the judgement? With the claim it has to confirm. */
bool judge_wants_whois(const struct judge *self, const struct judge_ask *ask, struct proxy_tailscale *ret_claim);
/* 0 with the verdict, STORE_E_FULL, or a fault. `ret_verdict` points into itself and the ask, and holds tokens: wipe
 * it. */
int judge_connect(struct judge *self, const struct judge_ask *ask, struct judge_verdict *ret_verdict);
/* The scopes that go with a verdict that lets in, as a packed array. */
void judge_scopes_pack(const struct judge_ask *ask, const struct judge_verdict *verdict, struct pack *out);

struct judge_bearer_verdict {
    enum refusal refusal;
    uint32_t wait_ms;
    const char *method;
    uint32_t scopes;
    bool is_local;
    char user[PROXY_USER_MAX];
};
/* The same for an HTTP request: the gateway's secret, a trusted proxy, the owner; in mode none, being on this machine.
 */
void judge_bearer(struct judge *self, const struct connect_peer *peer, struct span bearer, struct judge_time now,
                  struct judge_bearer_verdict *ret_verdict);
/* The same for a hook, by the token of hooks alone: the gateway's secret, a proxy or being the owner count nothing. */
void judge_hook(struct judge *self, const struct connect_peer *peer, struct span token, struct judge_time now,
                struct judge_bearer_verdict *ret_verdict);

#endif
