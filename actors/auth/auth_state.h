/*
 * auth_state: the state of the actor, shared by auth.c and device_calls.c.
 */
#ifndef ACTORS_AUTH_AUTH_STATE_H
#define ACTORS_AUTH_AUTH_STATE_H

#include <limits.h>

#include "actors/auth/answer.h"
#include "actors/auth/judge.h"
#include "actors/auth/upgrades.h"
#include "bus/actor.h"
#include "schema/base/config_follow.h"
#include "schema/base/disk_watch.h"

#define AUTH_CLOSE_CHANGED 4001

struct waiter;

struct auth {
    struct actor *actor;
    uint64_t generation; /* 0: settings have never been read */
    struct pack scratch;
    struct pack pages; /* what pages were let in by; empty: not read yet */
    struct config_follow follow;
    uint64_t refused_ms;   /* when a refusal was last logged; 0: never */
    uint32_t refused_held; /* refusals since then */
    struct waiter *waiters;
    uint32_t waiters_n;
    struct disk_watch disk;
    char tailscaled[PATH_MAX];
    struct upgrades upgrades;
    struct pack place;  /* what the config says of where this gateway can be found, see setup_calls.c */
    struct judge judge; /* last, because it is large and mostly untouched */
};

/* Takes the outcome of a change; the operator is told while the disk refuses them. Returns it. */
int auth_disk_note(struct auth *self, int outcome);

/* --- device_calls.c -------------------------------------------------------------------------- */

int on_pair_list(void *arg, struct actor_ctx *ctx, const void *msg);
int on_pair_approve(void *arg, struct actor_ctx *ctx, const void *msg);
int on_pair_reject(void *arg, struct actor_ctx *ctx, const void *msg);
int on_pair_remove(void *arg, struct actor_ctx *ctx, const void *msg);
int on_pair_rename(void *arg, struct actor_ctx *ctx, const void *msg);
int on_token_rotate(void *arg, struct actor_ctx *ctx, const void *msg);
int on_token_revoke(void *arg, struct actor_ctx *ctx, const void *msg);
int on_scopes_request(void *arg, struct actor_ctx *ctx, const void *msg);
int on_scopes_wait(void *arg, struct actor_ctx *ctx, const void *msg);
/* --- setup_calls.c --------------------------------------------------------------------------- */

int on_setup_code(void *arg, struct actor_ctx *ctx, const void *msg);
int on_setup_status(void *arg, struct actor_ctx *ctx, const void *msg);
/* Keeps what setup codes need of the config. 0 or a fault. */
int setup_calls_configure(struct auth *self, struct span config);
/* Answers whoever came with the code of a link, and uses that up. 0 or a fault. */
int setup_calls_join(struct auth *self, const struct answer_to *to, const struct connect_peer *peer, struct span code);
/* Whoever made the code hears that it was used. 0 or a fault. */
int setup_calls_completed(struct auth *self, const struct setup *setup);

/* --- device_calls.c, for others ------------------------------------------------------------------ */

/* Tells operators that a device asks, and what became of it. 0 or a fault. */
int device_calls_requested(struct auth *self, const struct pair_request *request);
int device_calls_resolved(struct auth *self, const char *request_id, const char *device_id, const char *decision);

#endif
