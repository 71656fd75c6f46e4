/*
 * show_tools: what a model calls tools for, and what they answer, for those who watch runs and sessions.
 */
#include "actors/agent/agent_state.h"
#include "actors/agent/events.h"
#include "actors/agent/message.h"
#include "actors/agent/tool_calls.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "schema_gen.h"

/* What stands in the scratch: for those who watch the run, and for those who watch sessions. */
static void both_publish(struct agent *self, const struct run *run)
{
    show_publish(self, run, EVENT_AGENT);
    show_publish(self, run, EVENT_SESSION_TOOL);
}

void show_tool_calls(struct agent *self, struct run *run)
{
    struct value_iter it = value_iter(value_get((struct span){ run->answer.data, run->answer.len }, "content"));
    struct span key;
    struct span part;

    if (run->row.state != STORE_RUN_DONE || !run->calls.n) {
        return;
    }
    while (value_next(&it, &key, &part)) {
        if (tool_calls_is_part(part)) {
            pack_reset(&self->scratch);
            events_tool_called(&self->scratch, run, &self->settings, part, clock_wall_ms());
            both_publish(self, run);
        }
    }
}

void show_tool_result(struct agent *self, struct run *run, struct span message)
{
    if (message_is_result(message)) {
        pack_reset(&self->scratch);
        events_tool_answered(&self->scratch, run, &self->settings, message, clock_wall_ms());
        both_publish(self, run);
    }
}
