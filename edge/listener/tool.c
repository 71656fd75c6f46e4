#include "edge/listener/tool.h"

#include <stdio.h>

#include "bus/codec.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/run_ask.h"
#include "schema_gen.h"

#define NOTHING ((struct span){ NULL, 0 })
#define ANSWER_MAX_MS 3900000U /* the longest that a tool waits, and some more for the way */
#define JSON_DEPTH 32U
#define TEXT_MAX 512

/* --- the answer --------------------------------------------------------------------------------- */

static int result_write(const struct msg_tools_called *called, struct text_buf *out)
{
    int r = text_buf_add(out, SPAN_LIT("{\"ok\":true,\"result\":"));

    r = r ? r : json_from_value(called->result, out);
    return r ? r : text_buf_add(out, SPAN_LIT("}"));
}

static int refusal_write(struct span type, struct span message, struct text_buf *out)
{
    int r = text_buf_add(out, SPAN_LIT("{\"ok\":false,\"error\":{\"type\":"));

    r = r ? r : json_from_text(type, out);
    r = r ? r : text_buf_add(out, SPAN_LIT(",\"message\":"));
    r = r ? r : json_from_text(message, out);
    return r ? r : text_buf_add(out, SPAN_LIT("}}"));
}

static void answer(struct exchange *self, const struct msg_tools_called *called, uint32_t retry_after_s)
{
    struct text_buf text = { 0 };

    if (called->has_result ? result_write(called, &text) : refusal_write(called->type, called->message, &text)) {
        exchange_break(self);
    }
    exchange_answer(self, (int)called->status, (struct span){ text.data, text.len }, retry_after_s);
    text_buf_deinit(&text);
}

static void on_called(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    struct msg_tools_called failed = { .status = 503, .type = SPAN_LIT("tool_error") };

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (!reply->failure) {
        const struct msg_tools_called *called = reply->msg;

        answer(self, called, called->status == 503 ? 1 : 0);
        return;
    }
    failed.status = reply->failure->code == FAIL_INVALID_REQUEST ? 400 : 503;
    failed.message = reply->failure->message;
    answer(self, &failed, failed.status == 503 ? 1 : 0);
}

/* --- the request --------------------------------------------------------------------------------- */

/* Is what stands there, if anything does, of a length that can be passed on? */
static bool text_take(struct span body, const char *key, bool *ret_has, struct span *ret_text)
{
    struct span text = value_str(value_get(body, key), NOTHING);

    *ret_has = text.len > 0;
    *ret_text = text;
    return text.len <= TEXT_MAX;
}

static void too_long(struct exchange *self)
{
    struct msg_tools_called out = { .status = 400,
                                    .type = SPAN_LIT("invalid_request"),
                                    .message = SPAN_LIT("action, sessionKey, agentId and idempotencyKey have at most "
                                                        "512 bytes each") };

    answer(self, &out, 0);
}

static int tool_call(struct exchange *self, struct span body)
{
    struct msg_auth_decision decision;
    struct span name = value_str(value_get(body, "name"), value_str(value_get(body, "tool"), NOTHING));
    struct span args = value_get(body, "args");
    struct msg_tools_call in = { .name = name.len <= TEXT_MAX ? name : (struct span){ name.ptr, TEXT_MAX },
                                 .has_args = value_kind_of(args) == VALUE_MAP,
                                 .args = args,
                                 .has_client = true };
    struct actor_call call = { .to = "tools",
                               .msg = MSG_TOOLS_CALL,
                               .in = &in,
                               .deadline_ms = ANSWER_MAX_MS,
                               .trace = self->trace,
                               .on_answer = on_called,
                               .cookie = self };
    int r = codec_decode(MSG_AUTH_DECISION->type, (struct span){ self->decision.data, self->decision.len }, &decision,
                         NULL);

    if (r) {
        return FAULT_FOLD(r); /* it was decoded once before */
    }
    if (!text_take(body, "action", &in.has_action, &in.action) ||
        !text_take(body, "sessionKey", &in.has_session_key, &in.session_key) ||
        !text_take(body, "agentId", &in.has_agent_id, &in.agent_id) ||
        !text_take(body, "idempotencyKey", &in.has_idempotency_key, &in.idempotency_key)) {
        too_long(self);
        return 0;
    }
    run_ask_header(self, "x-openclaw-message-channel", &in.has_channel, &in.channel);
    run_ask_header(self, "x-openclaw-account-id", &in.has_account_id, &in.account_id);
    run_ask_client(self, &decision, &in.client);
    call.principal = decision.principal;
    return actor_call(self->edge->actor, &call, &self->call.id);
}

void tool_start(struct exchange *self)
{
    struct openai_error error = { .status = 503, .type = "api_error", .message = "The tool cannot be called now." };
    struct json_opts opts = { .depth_max = JSON_DEPTH };
    struct json_error why;
    struct pack body;
    int r;

    edge_uuid(self->run.id);
    pack_init(&body, TOOL_BODY_MAX * 3);
    r = json_to_pack((struct span){ self->body.data, self->body.len }, &opts, &body, &why);
    if (r > 0) {
        error = (struct openai_error){ .status = 400, .type = "invalid_request_error" };
        (void)snprintf(error.message, sizeof(error.message), "The body is not JSON at line %u, column %u: expected %s",
                       why.line, why.column, r == JSON_E_DEPTH ? "less nesting" : why.expected);
    }
    r = r ? r : tool_call(self, pack_span(&body));
    pack_deinit(&body);
    if (r) {
        exchange_error(self, &error, error.status == 503 ? 1 : 0);
    }
}
