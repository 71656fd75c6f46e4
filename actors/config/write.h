/*
 * write: config.set, config.patch, config.apply.
 */
#ifndef ACTORS_CONFIG_WRITE_H
#define ACTORS_CONFIG_WRITE_H

struct actor_ctx;
struct config;

/* The actor ends: what waits is not written. */
void write_abandon(struct config *self);

int config_on_set(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_patch(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_repair(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_apply(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
