/* config and agent/main, with the driver of tests/actor/rig beside them. */
#include "tests/actor/rig/rig.h"

#include <string.h>

#include "actors/agent/agent.h"
#include "actors/config/config.h"
#include "schema_gen.h"

static const struct actor_route topics[] = {
    { .msg = EVENT_AGENT, .on = rig_on_event },
    { .msg = EVENT_CHAT, .on = rig_on_event },
    { .msg = EVENT_SESSION_MESSAGE, .on = rig_on_event },
    { .msg = EVENT_SESSIONS_CHANGED, .on = rig_on_event },
};
static const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct rig),
    .topics = topics,
    .topics_n = ARRAY_LEN(topics),
    .init = rig_init,
    .deinit = rig_deinit,
};

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    return strncmp(address, "agent/", 6) == 0 ? "agent" : address;
}

int main(void)
{
    static const struct actor_def *const defs[] = { &config_actor, &agent_actor, &driver_actor, NULL };

    return rig_run("[\"config\", \"driver\", \"agent/main\"]", defs, def_of);
}
