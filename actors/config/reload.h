/*
 * reload: the files changed, or somebody says so.
 */
#ifndef ACTORS_CONFIG_RELOAD_H
#define ACTORS_CONFIG_RELOAD_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/actor.h"

struct config;
struct rollout;

/* Watches the files of the snapshot in force. Called once before the first load with the config file alone. */
int reload_open(struct config *self);
void reload_close(struct config *self);
/* After each load: the includes may be others now. */
void reload_follow(struct config *self);
/* Nobody wants edits to take effect by themselves (gateway.reload.mode). */
bool reload_is_off(const struct config *self);
/* Does what the rules say about these paths; edges start again when the rollout is over. */
void reload_carry_out(struct config *self, struct span paths, struct rollout *rollout);
/* A moment later, so that answers under way go out first. */
void reload_edges_restart(struct config *self);
/* The edges are whom clients meet: when one serves, the config has proved itself. */
void reload_edge_life(struct config *self, struct span address, enum actor_life life);

int config_on_reload(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
