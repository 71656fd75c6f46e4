#include <stdlib.h>

#include "actors/agent/agent_state.h"
#include "bus/value.h"
#include "schema_gen.h"

int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_config_update *in = msg;
    int rc = settings_read(&self->settings, self->id, value_path(in->config, "models.providers"),
                           value_get(in->config, "agents"), value_get(in->config, CONFIG_FOLLOW_CREDENTIALS));

    if (rc) {
        return rc;
    }
    if (!self->has_settings) {
        self->has_settings = true;
        actor_ready(self->actor);
        actor_status(self->actor, "");
    }
    batch_due(self); /* runs may have waited for it */
    return config_follow_applied(ctx, msg);
}

static void on_config_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct agent *self = state;
    int rc = config_follow_life(&self->follow, life);

    (void)address;
    if (rc) {
        (void)actor_fault(actor, rc); /* the loop ends after this turn */
    }
}

int setup_open(struct agent *self)
{
    actor_status(self->actor, "waiting for the configuration");
    config_follow_open(&self->follow, self->actor);
    return actor_watch(self->actor, "config", on_config_life);
}

void setup_close(struct agent *self)
{
    config_follow_close(&self->follow);
}
