#include <stdlib.h>

#include "actors/agent/agent_state.h"
#include "bus/base/mem.h"
#include "schema_gen.h"

#define ASK_DEADLINE_MS 5000
#define ASK_AGAIN_MS 2000 /* config's coming back is seen at once; this is for a failure of another kind */

static const char *env_get(const char *name)
{
    return getenv(name);
}

static int settings_take(struct agent *self)
{
    struct span providers = { self->settings_providers.data, self->settings_providers.len };
    struct span agents = { self->settings_agents.data, self->settings_agents.len };
    int rc = settings_read(&self->settings, self->id, providers, agents, env_get);

    if (!rc) {
        self->has_settings = true;
        batch_due(self); /* runs may have waited for it */
    }
    /* Keys stand in these bytes. */
    mem_wipe(self->settings_providers.data, self->settings_providers.len);
    text_buf_deinit(&self->settings_providers);
    self->settings_providers = (struct text_buf){ 0 };
    text_buf_deinit(&self->settings_agents);
    self->settings_agents = (struct text_buf){ 0 };
    return rc;
}

static void ask_later(struct agent *self)
{
    if (!self->has_settings) {
        actor_status(self->actor, "waiting for the configuration");
    }
    self->settings_due_ms = uv_now(actor_loop(self->actor)) + ASK_AGAIN_MS;
    waits_arm(self);
}

static int answers_complete(struct agent *self)
{
    if (self->is_settings_bad) {
        ask_later(self);
        return 0;
    }
    if (self->is_settings_stale) {
        return setup_ask(self); /* the two halves may be of different versions */
    }
    actor_status(self->actor, "");
    return settings_take(self);
}

static void answer_take(struct agent *self, struct text_buf *into, const struct actor_answer *answer)
{
    const struct msg_config_value *value = answer->msg;
    int rc = 0;

    self->settings_asked--;
    into->len = 0;
    if (answer->failure || !value) {
        self->is_settings_bad = true;
    } else {
        rc = text_buf_add(into, value->value);
    }
    if (!rc && !self->settings_asked) {
        rc = answers_complete(self);
    }
    if (rc < 0) {
        (void)actor_fault(self->actor, rc); /* the loop ends after this turn */
    }
}

static void on_providers(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct agent *self = state;

    (void)actor;
    (void)cookie;
    answer_take(self, &self->settings_providers, answer);
}

static void on_agents(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct agent *self = state;

    (void)actor;
    (void)cookie;
    answer_take(self, &self->settings_agents, answer);
}

static int subtree_ask(struct agent *self, const char *path, actor_on_answer on_answer)
{
    struct msg_config_read in = { .path = span_from(path) };
    struct actor_call call = {
        .to = "config", .msg = MSG_CONFIG_READ, .in = &in, .deadline_ms = ASK_DEADLINE_MS, .on_answer = on_answer
    };

    self->settings_asked++;
    return actor_call(self->actor, &call, NULL);
}

int setup_ask(struct agent *self)
{
    int rc;

    self->is_settings_bad = false;
    self->is_settings_stale = false;
    rc = subtree_ask(self, "models.providers", on_providers);
    return rc ? rc : subtree_ask(self, "agents", on_agents);
}

int on_config_changed(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;

    (void)ctx;
    (void)msg;
    if (self->settings_asked) {
        self->is_settings_stale = true;
        return 0;
    }
    return setup_ask(self);
}

static void on_config_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct agent *self = state;
    int rc;

    (void)address;
    if (life != ACTOR_LIFE_READY || !self->settings_due_ms || self->settings_asked) {
        return;
    }
    self->settings_due_ms = 0;
    rc = setup_ask(self);
    if (rc) {
        (void)actor_fault(actor, rc); /* the loop ends after this turn */
    }
}

int setup_open(struct agent *self)
{
    int rc = actor_watch(self->actor, "config", on_config_life);

    return rc ? rc : setup_ask(self);
}
