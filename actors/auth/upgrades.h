/*
 * upgrades: devices that asked for more scopes and wait, on a live connection, for what
 * becomes of it.
 */
#ifndef ACTORS_AUTH_UPGRADES_H
#define ACTORS_AUTH_UPGRADES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "actors/auth/requests.h"
#include "bus/actor.h"

#define UPGRADES_ENDS_MAX 64

struct upgrade_wait;

/* A decision that a device may ask for after it was taken. */
struct upgrade_end {
    char request_id[REQUESTS_ID_LEN];
    char device_id[DEVICE_ID_LEN];
    bool is_approved;
};

struct upgrades {
    struct actor *actor;
    struct upgrade_wait *waits;
    uv_timer_t timer; /* of the request that expires next */
    unsigned ends_n;  /* ever */
    struct upgrade_end ends[UPGRADES_ENDS_MAX];
};

void upgrades_init(struct upgrades *self, struct actor *actor);
void upgrades_deinit(struct upgrades *self);

/* Puts the call in hand off until the request is decided, dropped or expires (wall clock). */
void upgrades_wait(struct upgrades *self, struct actor_ctx *ctx, const char *request_id, const char *device_id,
                   int64_t expires_ms);
/* Was it decided a moment ago, for this device? */
bool upgrades_find(const struct upgrades *self, const char *request_id, const char *device_id, bool *ret_is_approved);
/* Remembers a decision. True when somebody waits for it. */
bool upgrades_note(struct upgrades *self, const char *request_id, const char *device_id, bool is_approved);
/* Everybody who waits for that request gets this answer. 0 or a fault. */
int upgrades_answer(struct upgrades *self, const char *request_id, struct span body);
/* The requests of a device, but for `but_id`, are gone: whoever waits for one is told that it expired. */
void upgrades_drop(struct upgrades *self, const char *device_id, const char *but_id);
/* Nobody waits any more. False when the cookie is not of here. */
bool upgrades_cancel(struct upgrades *self, const void *cookie);

#endif
