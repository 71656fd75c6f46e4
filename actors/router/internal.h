/*
 * internal: the router's state, shared by the files of this folder alone.
 */
#ifndef ACTORS_ROUTER_INTERNAL_H
#define ACTORS_ROUTER_INTERNAL_H

#include "actors/router/gather.h"
#include "actors/router/roster.h"
#include "actors/router/run_index.h"
#include "bus/actor.h"
#include "schema/base/config_follow.h"

struct router {
    bool is_loaded; /* the roster is from the config; nothing is answered before */
    struct roster roster;
    struct body agents_list; /* payload of agents.list, packed once per roster */
    bool has_list;
    struct run_index runs;
    struct gather *gathers;

    struct config_follow follow;
};

/* --- config.c: where the roster comes from ------------------------------------------ */

int router_on_config_update(void *arg, struct actor_ctx *ctx, const void *msg);
void router_config_deinit(struct router *self);
/* Ready once the config has been heard of. 0 or a fault. */
int router_config_init(struct router *self, struct actor *actor);

/* --- resolving ---------------------------------------------------------------------- */

/* Nothing can be said before the config has been read once. */
int router_not_loaded(struct actor_ctx *ctx);
/* The full key and its agent, or a FAIL_* code with its text kept in `ctx`. */
int router_resolve(struct router *self, struct actor_ctx *ctx, struct span key, struct span agent,
                   struct session_key *ret_key);
/* "agent/<id>". */
void router_address(const char *agent, char ret_address[ACTOR_ADDRESS_MAX]);

/* --- fanout.c: questions to several agents --------------------------------------------- */

int router_on_sessions_list(void *arg, struct actor_ctx *ctx, const void *msg);
int router_on_sessions_preview(void *arg, struct actor_ctx *ctx, const void *msg);
int router_on_agent_wait(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
