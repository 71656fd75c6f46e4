/*
 * reload: the files changed, or somebody says so.
 */
#ifndef ACTORS_CONFIG_RELOAD_H
#define ACTORS_CONFIG_RELOAD_H

#include "bus/base/span.h"

struct actor_ctx;
struct config;

/* Watches the files of the snapshot in force. Called once before the first load with the config file alone. */
int reload_open(struct config *self);
void reload_close(struct config *self);
/* After each load: the includes may be others now. */
void reload_follow(struct config *self);
/* Does what the rules say about these paths. */
void reload_carry_out(struct config *self, struct span paths);

int config_on_reload(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
