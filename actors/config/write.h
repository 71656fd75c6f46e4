/*
 * write: config.set, config.patch, config.apply. One at a time; what comes while another waits for
 * its secrets, or an edit of the files for its own, waits in order for its turn.
 */
#ifndef ACTORS_CONFIG_WRITE_H
#define ACTORS_CONFIG_WRITE_H

struct actor_ctx;
struct config;

/* The actor ends: what waits is not written. */
void write_abandon(struct config *self);
/* Nothing else is on the way any more: those that waited for it have their turn, one after the other. 0 or a fault. */
int write_resume(struct config *self);
/* Whoever asked for the write behind that cookie has given up; it is not made unless it is at work already. */
void write_cancel(struct config *self, const void *cookie);

int config_on_set(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_patch(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_repair(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_apply(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
