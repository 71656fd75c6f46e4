/*
 * embed: embeddings of texts, from a provider that has them. Nothing is stored.
 */
#ifndef ACTORS_AGENT_EMBED_H
#define ACTORS_AGENT_EMBED_H

#include <stdbool.h>

#define EMBEDS_MAX 256U /* at a time */

struct actor_ctx;
struct agent;

int on_agent_embed(void *arg, struct actor_ctx *ctx, const void *msg);
/* Whoever asked has gone; false when `cookie` is of something else. */
bool embed_cancel(struct agent *self, const void *cookie);
void embed_close(struct agent *self);

#endif
