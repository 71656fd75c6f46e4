/*
 * config: the roster, kept in step with what the config actor says.
 */
#include "actors/router/internal.h"
#include "bus/value.h"
#include "schema_gen.h"

static void agents_apply(struct router *self, struct actor *actor, const struct roster *before)
{
    char address[ACTOR_ADDRESS_MAX];

    for (size_t i = 0; i < before->agents_n; i++) {
        if (!roster_find(&self->roster, before->agents[i].id)) {
            router_address(before->agents[i].id, address);
            (void)actor_despawn(actor, address); /* a fault of the link shows in the next call */
        }
    }
    for (size_t i = 0; i < self->roster.agents_n; i++) {
        router_address(self->roster.agents[i].id, address);
        (void)actor_spawn(actor, address, "agent", self->roster.agents[i].id);
    }
}

static int list_repack(struct router *self)
{
    struct pack pack;
    int r;

    pack_init(&pack, 0);
    roster_pack(&self->roster, &pack);
    r = pack_error(&pack);
    if (!r) {
        body_deinit(&self->agents_list);
        r = body_init(&self->agents_list, pack_span(&pack));
        self->has_list = !r;
    }
    pack_deinit(&pack);
    return r;
}

/* An agent that ran before this router did, and is no longer configured. */
static void on_agent_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct router *self = arg;
    char id[ACTOR_ADDRESS_MAX];
    struct span name = { address.ptr + sizeof("agent/") - 1, address.len - (sizeof("agent/") - 1) };

    if (life == ACTOR_LIFE_ABSENT || life == ACTOR_LIFE_STOPPED || name.len >= sizeof(id)) {
        return;
    }
    memcpy(id, name.ptr, name.len);
    id[name.len] = '\0';
    if (!roster_find(&self->roster, id)) {
        char text[ACTOR_ADDRESS_MAX];

        router_address(id, text);
        (void)actor_despawn(actor, text);
    }
}

static int roster_take(struct router *self, struct actor *actor, struct roster *roster)
{
    struct roster before = self->roster;
    bool was_loaded = self->is_loaded;
    int r;

    self->roster = *roster;
    *roster = (struct roster){ 0 };
    self->is_loaded = true;
    agents_apply(self, actor, &before);
    roster_deinit(&before);
    r = list_repack(self);
    if (r) {
        return r;
    }
    actor_status(actor, "");
    if (!was_loaded) {
        r = actor_watch(actor, "agent/*", on_agent_life);
        actor_ready(actor);
    }
    if (r) {
        return r;
    }
    return actor_publish(actor, MSG_ROUTER_AGENTS_CHANGED,
                         &(struct msg_router_agents_changed){ .count = (uint32_t)self->roster.agents_n }, NULL);
}

int router_on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    const struct msg_config_update *in = msg;
    struct roster roster;
    int r = roster_build(value_get(in->config, "agents"), value_get(in->config, "session"), &roster);

    if (r == ROSTER_E_MANY) {
        actor_status(actor_ctx_actor(ctx), "agents.list holds more than 256 agents; the last list stays in force");
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "agents.list holds more than 256 agents");
    }
    r = r ? r : roster_take(self, actor_ctx_actor(ctx), &roster);
    return r ? r : config_follow_applied(ctx, msg);
}

static void on_config_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct router *self = arg;
    int r = config_follow_life(&self->follow, life);

    (void)address;
    if (r) {
        (void)actor_fault(actor, r);
    }
}

int router_config_init(struct router *self, struct actor *actor)
{
    actor_status(actor, "waiting for config");
    config_follow_open(&self->follow, actor);
    return actor_watch(actor, "config", on_config_life);
}

void router_config_deinit(struct router *self)
{
    config_follow_close(&self->follow);
}
