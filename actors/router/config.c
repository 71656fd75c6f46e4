/*
 * config: the roster, read from the config actor and kept in step with it.
 */
#include <stdlib.h>

#include "actors/router/internal.h"
#include "bus/value.h"
#include "schema_gen.h"

#define RETRY_FIRST_MS 100U
#define RETRY_MOST_MS 5000U

static const char *const subtrees[2] = { "agents", "session" };

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

static void on_retry(uv_timer_t *timer)
{
    struct router *self = timer->data;
    struct actor *actor = actor_current();
    int r = router_config_read(self, actor);

    if (r) {
        actor_fault(actor, r);
    }
}

/* The config actor may be starting; its readiness is watched too, this is for the rest. */
static void retry_later(struct router *self, struct actor *actor)
{
    actor_status(actor, self->is_loaded ? "config unreachable, using the last known agents" : "waiting for config");
    self->retry_ms = self->retry_ms ? self->retry_ms * 2 : RETRY_FIRST_MS;
    if (self->retry_ms > RETRY_MOST_MS) {
        self->retry_ms = RETRY_MOST_MS;
    }
    uv_timer_start(&self->retry, on_retry, self->retry_ms, 0);
}

static void reads_finish(struct router *self, struct actor *actor)
{
    struct roster roster;
    int r;

    if (self->has_read_failed) {
        retry_later(self, actor);
        return;
    }
    self->retry_ms = 0;
    if (self->is_stale) {
        r = router_config_read(self, actor);
    } else {
        r = roster_build((struct span){ self->read[0], self->read_len[0] },
                         (struct span){ self->read[1], self->read_len[1] }, &roster);
        if (r == ROSTER_E_MANY) {
            actor_status(actor, "agents.list holds more than 256 agents; the last list stays in force");
            return;
        }
        r = r ? r : roster_take(self, actor, &roster);
    }
    if (r) {
        actor_fault(actor, r);
    }
}

static void read_take(struct router *self, size_t at, const struct actor_answer *answer)
{
    const struct msg_config_value *value = answer->msg;

    if (answer->failure || !value) {
        self->has_read_failed = true;
        return;
    }

    char *copy = malloc(value->value.len + 1);

    if (!copy) {
        self->has_read_failed = true;
        return;
    }
    if (value->value.len) {
        memcpy(copy, value->value.ptr, value->value.len);
    }
    free(self->read[at]);
    self->read[at] = copy;
    self->read_len[at] = value->value.len;
}

static void on_value(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct router *self = arg;

    read_take(self, (size_t)(uintptr_t)cookie, answer);
    if (--self->reads_n == 0) {
        reads_finish(self, actor);
    }
}

int router_config_read(struct router *self, struct actor *actor)
{
    if (self->reads_n) {
        self->is_stale = true;
        return 0;
    }
    self->is_stale = false;
    self->has_read_failed = false;
    uv_timer_stop(&self->retry);
    for (size_t i = 0; i < ARRAY_LEN(subtrees); i++) {
        int r = actor_call(actor,
                           &(struct actor_call){
                               .to = "config",
                               .msg = MSG_CONFIG_READ,
                               .in = &(struct msg_config_read){ .path = span_from(subtrees[i]) },
                               .on_answer = on_value,
                               .cookie = (void *)(uintptr_t)i,
                           },
                           NULL);

        if (r) {
            return r;
        }
        self->reads_n++;
    }
    return 0;
}

int router_on_config_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct router *self = arg;
    const struct msg_config_changed *in = msg;
    struct value_iter it = value_iter(in->paths);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        struct span path = value_str(item, (struct span){ 0 });

        if (!path.len || span_starts(path, "agents") || span_starts(path, "session")) {
            return router_config_read(self, actor_ctx_actor(ctx));
        }
    }
    return 0;
}

static void on_config_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct router *self = arg;

    (void)address;
    if (life == ACTOR_LIFE_READY && (!self->is_loaded || self->has_read_failed)) {
        int r = router_config_read(self, actor);

        if (r) {
            actor_fault(actor, r);
        }
    }
}

int router_config_init(struct router *self, struct actor *actor)
{
    int r = uv_timer_init(actor_loop(actor), &self->retry);

    if (r) {
        return FAULT(r);
    }
    self->retry.data = self;
    self->has_retry = true;
    r = actor_watch(actor, "config", on_config_life);
    return r ? r : router_config_read(self, actor);
}

void router_config_deinit(struct router *self)
{
    if (self->has_retry) {
        uv_close((uv_handle_t *)&self->retry, NULL);
    }
    free(self->read[0]);
    free(self->read[1]);
}
