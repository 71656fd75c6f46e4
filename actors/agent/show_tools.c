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

/* What stands in the scratch goes to both. One that is too large is not sent; the transcript has all of it. */
static void publish(struct agent *self)
{
    const struct schema_msg *const topics[] = { EVENT_AGENT, EVENT_SESSION_TOOL };

    for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++) {
        if (!pack_error(&self->scratch) && self->scratch.len <= topics[i]->max_bytes) {
            (void)actor_publish_span(self->actor, topics[i], pack_span(&self->scratch), NULL); /* at most once */
        }
    }
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
            publish(self);
        }
    }
}

void show_tool_result(struct agent *self, struct run *run, struct span message)
{
    if (message_is_result(message)) {
        pack_reset(&self->scratch);
        events_tool_answered(&self->scratch, run, &self->settings, message, clock_wall_ms());
        publish(self);
    }
}
