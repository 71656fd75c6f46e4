/*
 * run_send: sessions_send: a message into another session, and what its agent answers. The
 * message is stored by its agent, under a key of its own, before anybody is told that it is
 * there; a repeat of the asker's idempotency key sends nothing twice.
 */
#include <stdio.h>

#include "actors/tools/tools_state.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })
#define WAIT_S 30
#define WAIT_MOST_S 3600
#define START_MS 10000U

static struct span str(struct span map, const char *key)
{
    return value_str(value_get(map, key), NOTHING);
}

/* --- what came of it -------------------------------------------------------------------------------------- */

static int outcome_tell(struct invocation *self, const char *status, struct span reply, struct span error)
{
    struct pack *out = &self->tools->pack;

    pack_reset(out);
    pack_map_begin(out);
    pack_kv_text(out, "runId", self->run_id);
    pack_kv_text(out, "status", status);
    if (reply.len) {
        pack_kv_str(out, "reply", reply);
    }
    if (error.len) {
        pack_kv_str(out, "error", utf8_cut(error, 1024));
    }
    pack_kv_text(out, "sessionKey", self->target);
    pack_map_end(out);
    return pack_error(out) ? pack_error(out) : invocation_done(self, pack_span(out));
}

static int on_ran(struct invocation *self, const struct actor_answer *answer)
{
    struct value_iter it = value_iter(value_path(answer->body, "result.payloads"));
    struct text_buf reply = { 0 };
    struct span key;
    struct span item;
    int r = 0;

    if (answer->failure && answer->failure->code == FAIL_TIMEOUT) {
        return outcome_tell(self, "accepted", NOTHING, NOTHING); /* it goes on without us */
    }
    if (answer->failure) {
        return outcome_tell(self, "error", NOTHING, answer->failure->message);
    }
    while (!r && value_next(&it, &key, &item)) {
        r = text_buf_add(&reply, str(item, "text"));
    }
    r = r ? r : outcome_tell(self, "ok", (struct span){ reply.data, reply.len }, NOTHING);
    text_buf_deinit(&reply);
    return r;
}

/* --- sending ------------------------------------------------------------------------------------------------ */

static int64_t wait_s(const struct invocation *self)
{
    int64_t seconds = invocation_number(self, "timeoutSeconds", WAIT_S);

    return seconds < 0 ? 0 : seconds > WAIT_MOST_S ? WAIT_MOST_S : seconds;
}

/* Taken, or over already; anything else is no message. */
static int on_started(struct invocation *self, const struct actor_answer *answer)
{
    return answer->failure && answer->failure->code != FAIL_CANCELLED
               ? outcome_tell(self, "error", NOTHING, answer->failure->message)
               : outcome_tell(self, "accepted", NOTHING, NOTHING);
}

static int message_send(struct invocation *self)
{
    char prompt[TOOLS_KEY_MAX + 256];
    struct msg_agent in = { .message = invocation_text(self, "message"),
                            .has_session_key = true,
                            .session_key = span_from(self->target),
                            .idempotency_key = span_from(self->run_id),
                            .has_extra_system_prompt = true,
                            .extra_system_prompt = { prompt, 0 } };

    if (self->ask.key.len) { /* one message, however often it is asked for */
        (void)snprintf(self->run_id, sizeof(self->run_id), "tools:%.*s", SPAN_FMT(utf8_cut(self->ask.key, 400)));
    } else {
        tools_uuid(self->run_id);
    }
    in.idempotency_key = span_from(self->run_id);
    in.extra_system_prompt.len =
        (size_t)snprintf(prompt, sizeof(prompt),
                         "This message was not written by a person: the session %s sent it with the tool "
                         "sessions_send. What you answer goes back to that session.",
                         self->session_key); /* fits */
    if (!wait_s(self)) {
        return invocation_start(self, MSG_AGENT, &in, START_MS, on_started);
    }
    return invocation_ask(self, "router", MSG_AGENT, &in, (uint32_t)wait_s(self) * 1000, on_ran);
}

/* --- to which session ------------------------------------------------------------------------------------------ */

static int on_labelled(struct invocation *self, const struct actor_answer *answer)
{
    struct value_iter it = value_iter(answer->failure ? NOTHING : value_get(answer->body, "sessions"));
    struct span key;
    struct span row;

    if (answer->failure) {
        return invocation_fail_as(self, answer->failure);
    }
    if (!value_next(&it, &key, &row)) {
        return invocation_fail(self, 400, "No session found with label: %.*s",
                               SPAN_FMT(utf8_cut(invocation_text(self, "label"), 512)));
    }
    return sight_resolve(self, str(row, "key"), message_send);
}

static int label_find(struct invocation *self, struct span label)
{
    struct span agent = invocation_text(self, "agentId");
    struct msg_sessions_list in = { .has_limit = true,
                                    .limit = 1,
                                    .has_label = true,
                                    .label = label,
                                    .has_agent_id = true,
                                    .agent_id = agent.len ? agent : span_from(self->agent_id) };

    if (label.len > 512 || agent.len > 512) {
        return invocation_fail(self, 400, "label and agentId must have at most 512 bytes");
    }
    return invocation_ask(self, "router", MSG_SESSIONS_LIST, &in, 0, on_labelled);
}

int run_sessions_send(struct invocation *self)
{
    struct span key = invocation_text(self, "sessionKey");
    struct span label = invocation_text(self, "label");

    if (!invocation_text(self, "message").len) {
        return invocation_fail(self, 400, "message required");
    }
    if (key.len && label.len) {
        return invocation_fail(self, 400, "Provide either sessionKey or label (not both).");
    }
    if (!key.len && !label.len) {
        return invocation_fail(self, 400, "Either sessionKey or label is required");
    }
    return key.len ? sight_resolve(self, key, message_send) : label_find(self, label);
}
