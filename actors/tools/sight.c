/*
 * sight: which sessions one session may look at and write to (tools.sessions.visibility):
 * itself (`self`, and `tree`, as none has others that it began), those of its agent (`agent`),
 * or also those of agents that may talk to each other (`all`).
 */
#include <stdio.h>

#include "actors/tools/tools_state.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })

struct span sight_agent(struct span key)
{
    const char *end = key.len > 6 ? memchr(key.ptr + 6, ':', key.len - 6) : NULL;

    return span_starts(key, "agent:") && end ? (struct span){ key.ptr + 6, (size_t)(end - key.ptr) - 6 } : NOTHING;
}

static bool is_own(const struct invocation *self, struct span key)
{
    return span_is_text(key, self->session_key);
}

const char *sight_problem(const struct invocation *self, struct span key, struct span agent_id)
{
    struct span how = value_str(value_path(self->tools->policy.tools, "sessions.visibility"), SPAN_LIT("tree"));
    bool is_all = span_is_text(how, "all");

    if (!span_is_text(agent_id, self->agent_id)) {
        if (!is_all) {
            return "sessions of other agents are out of sight: tools.sessions.visibility is not \"all\"";
        }
        return policy_agents_talk(&self->tools->policy, span_from(self->agent_id), agent_id)
                   ? NULL
                   : "these agents may not talk to each other: see tools.agentToAgent";
    }
    if (is_own(self, key) || is_all || span_is_text(how, "agent")) {
        return NULL;
    }
    return span_is_text(how, "self") ? "only the session itself is in sight: tools.sessions.visibility is \"self\""
                                     : "only the session itself, and those that it began, are in sight: "
                                       "tools.sessions.visibility is \"tree\"";
}

/* --- the session that an argument names ------------------------------------------------------------------ */

static int hidden_tell(struct invocation *self, const char *why)
{
    struct pack *out = &self->tools->pack;

    pack_reset(out);
    pack_map_begin(out);
    pack_kv_text(out, "status", "forbidden");
    pack_kv_text(out, "error", why);
    pack_map_end(out);
    return pack_error(out) ? pack_error(out) : invocation_done(self, pack_span(out));
}

static int on_resolved(struct invocation *self, const struct actor_answer *answer)
{
    const struct msg_router_resolved *found = answer->msg;
    const char *why;

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    (void)snprintf(self->target, sizeof(self->target), "%.*s", SPAN_FMT(found->session_key)); /* fits */
    why = sight_problem(self, found->session_key, found->agent_id);
    return why ? hidden_tell(self, why) : self->on_sight(self);
}

/* A short key is one of the agent that asks. */
int sight_resolve(struct invocation *self, struct span written, int (*next)(struct invocation *self))
{
    bool is_full = span_starts(written, "agent:");
    struct msg_router_resolve in = {
        .has_session_key = true, .session_key = written, .has_agent_id = !is_full, .agent_id = span_from(self->agent_id)
    };

    self->on_sight = next;
    if (!written.len || span_is_text(written, "current")) {
        (void)snprintf(self->target, sizeof(self->target), "%s", self->session_key); /* fits */
        return next(self);
    }
    if (written.len >= TOOLS_KEY_MAX) {
        return invocation_fail(self, 400, "sessionKey is longer than 512 bytes");
    }
    return invocation_ask(self, "router", MSG_ROUTER_RESOLVE, &in, 0, on_resolved);
}
