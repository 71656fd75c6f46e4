/*
 * config_follow: how an actor comes by its part of the config. It asks once, and again
 * when config has begun a new life; what it gets is config_update, whole at first.
 *
 * The owner has a row in schema/config/followers.json, a route for MSG_CONFIG_UPDATE, and
 * watches "config". Its handler applies `config` of the message (the parts that its row
 * names, where they stand in the whole) and answers with config_follow_applied; when it
 * cannot, it fails with the reason, which is then told in log, health and to whoever
 * changed the config.
 */
#ifndef SCHEMA_BASE_CONFIG_FOLLOW_H
#define SCHEMA_BASE_CONFIG_FOLLOW_H

#include <stdbool.h>
#include <uv.h>

#include "bus/actor.h"

/* Beside the parts, for an agent: what it keeps for itself (auth-profiles.json), provider to key or { problem }. */
#define CONFIG_FOLLOW_CREDENTIALS "_credentials"

struct config_follow {
    struct actor *actor;
    uv_timer_t retry;
    enum actor_life life; /* of config */
    bool is_open;
    bool is_asking;
};

/* In init, before the watch. */
void config_follow_open(struct config_follow *self, struct actor *actor);
/* Copes with one that was never opened. */
void config_follow_close(struct config_follow *self);
/* From the watch on "config". 0 or a fault. */
int config_follow_life(struct config_follow *self, enum actor_life life);
/* The answer to the config_update in hand. */
int config_follow_applied(struct actor_ctx *ctx, const void *msg);

#endif
