/*
 * config, router, the agents that the config names, health, webchat, and the driver of
 * tests/actor/rig in place of the edge, which also prints {"life", "state"} of actors.
 * An agent whose id begins with "bad" cannot start; one with "deaf" starts and then hangs for ever.
 */
#include "tests/actor/rig/rig.h"

#include <string.h>
#include <unistd.h>

#include "actors/agent/agent.h"
#include "actors/channel/channel.h"
#include "actors/config/config.h"
#include "actors/health/health.h"
#include "actors/router/router.h"
#include "bus/base/fault.h"
#include "schema_gen.h"

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct pack pack;

    (void)state;
    (void)actor;
    rig_map_begin(&pack);
    pack_kv_str(&pack, "life", address);
    pack_kv_text(&pack, "state", actor_life_name(life));
    rig_print(&pack);
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    int r = rig_init(state, actor, arg);

    return r ? r : actor_watch(actor, "*", on_life);
}

static const struct actor_route topics[] = {
    { .msg = EVENT_CHAT, .on = rig_on_event },          { .msg = EVENT_PRESENCE, .on = rig_on_event },
    { .msg = EVENT_HEALTH, .on = rig_on_event },        { .msg = MSG_CLIENTS_CHANGED, .on = rig_on_event },
    { .msg = MSG_CHANNEL_CHANGED, .on = rig_on_event }, { .msg = MSG_ROUTER_AGENTS_CHANGED, .on = rig_on_event },
};
static const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct rig),
    .topics = topics,
    .topics_n = ARRAY_LEN(topics),
    .init = driver_init,
    .deinit = rig_deinit,
};

/* In place of the one that decides who may connect: health wants to see it ready. */
static const struct actor_def auth_stand_in = { .name = "auth" };

static int bad_init(void *state, struct actor *actor, const char *arg)
{
    (void)state;
    (void)actor;
    (void)arg;
    return FAULT(-EIO);
}

static void on_deaf(uv_timer_t *timer)
{
    (void)timer;
    for (;;) {
        (void)pause();
    }
}

/* Ready like any other, and then never back in its loop. */
static int deaf_init(void *state, struct actor *actor, const char *arg)
{
    static uv_timer_t timer; /* there is one such agent, and it never ends */
    int r = agent_actor.init(state, actor, arg);

    r = r ? r : uv_timer_init(actor_loop(actor), &timer);
    return r ? r : uv_timer_start(&timer, on_deaf, 200, 0);
}

static int agent_init(void *state, struct actor *actor, const char *arg)
{
    if (strncmp(arg, "deaf", 4) == 0) {
        return deaf_init(state, actor, arg);
    }
    return strncmp(arg, "bad", 3) == 0 ? bad_init(state, actor, arg) : agent_actor.init(state, actor, arg);
}

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    if (strncmp(address, "agent/", 6) == 0) {
        *ret_arg = address + 6;
        return "agent";
    }
    return strcmp(address, "edge/0") == 0 ? "driver" : strcmp(address, "channel/webchat") == 0 ? "webchat" : address;
}

int main(void)
{
    struct actor_def agent = agent_actor;
    const struct actor_def *defs[] = { &config_actor, &auth_stand_in, &health_actor, &router_actor,
                                       &agent,        &webchat_actor, &driver_actor, NULL };

    agent.init = agent_init;
    return rig_run("[\"edge/0\", \"config\", \"auth\", \"health\", \"router\", \"channel/webchat\", \"agent/*\"]", defs,
                   def_of);
}
