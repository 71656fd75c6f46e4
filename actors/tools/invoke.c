/*
 * invoke: a call of a tool comes in, over HTTP or by the method tools.invoke: whose session it
 * is for, whether it may, then the tool runs. One way for both.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/tools/tools_state.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/codec.h"
#include "bus/value.h"

#define NOTHING ((struct span){ NULL, 0 })
#define ROWS_MAX ((size_t)8 << 20)
#define MESSAGE_MAX 1024
#define WINDOW_BYTES 65536U

static bool is_owner(const struct invocation *self)
{
    struct value_iter it = value_iter(self->ask.client.scopes);
    struct span key;
    struct span scope;

    while (value_next(&it, &key, &scope)) {
        if (span_is_text(value_str(scope, NOTHING), "operator.admin")) {
            return true;
        }
    }
    return false;
}

void tools_uuid(char out[TOOLS_ID_MAX])
{
    uint64_t random[2];

    if (getentropy(random, sizeof(random)) != 0) {
        abort(); /* only a kernel without random numbers: nothing made here would be unique */
    }
    (void)snprintf(out, TOOLS_ID_MAX, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(random[0] >> 32),
                   (unsigned)(random[0] >> 16) & 0xffff, (unsigned)random[0] & 0xfff,
                   ((unsigned)(random[1] >> 48) & 0x3fff) | 0x8000,
                   (unsigned long long)(random[1] & 0xffffffffffffULL));
}

/* --- arguments -------------------------------------------------------------------------------------- */

struct span invocation_text(const struct invocation *self, const char *key)
{
    struct span text = span_trim(value_str(value_get(self->ask.args, key), NOTHING));

    if (!text.len && strcmp(key, "action") == 0) {
        return self->ask.action;
    }
    return text;
}

int64_t invocation_number(const struct invocation *self, const char *key, int64_t fallback)
{
    struct span value = value_get(self->ask.args, key);

    if (value_kind_of(value) == VALUE_FLOAT) {
        double number = value_f64(value, 0);

        return number > -1e15 && number < 1e15 ? (int64_t)number : fallback;
    }
    return value_i64(value, fallback);
}

bool invocation_flag(const struct invocation *self, const char *key)
{
    return value_bool(value_get(self->ask.args, key), false);
}

/* --- the end ------------------------------------------------------------------------------------------ */

void invocation_free(struct invocation *self)
{
    struct invocation **at = &self->tools->invocations;

    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    self->tools->open_n--;
    pack_deinit(&self->rows);
    text_buf_deinit(&self->listed);
    free(self->body);
    free(self);
}

/* What the model, and a person, reads: a text and the same as data. */
static void result_pack(struct span details, struct span text, struct pack *out)
{
    pack_map_begin(out);
    pack_key(out, "content");
    pack_array_begin(out);
    pack_map_begin(out);
    pack_kv_text(out, "type", "text");
    pack_kv_str(out, "text", text);
    pack_map_end(out);
    pack_array_end(out);
    pack_kv_raw(out, "details", details);
    pack_map_end(out);
}

static int rpc_done(struct invocation *self, struct span result)
{
    struct pack out;
    int r;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_bool(&out, "ok", true);
    pack_kv_text(&out, "toolName", self->tool->name);
    pack_kv_raw(&out, "output", result);
    pack_kv_text(&out, "source", "core");
    pack_map_end(&out);
    r = pack_error(&out);
    r = r ? r : actor_token_reply_span(self->tools->actor, self->token, pack_span(&out));
    pack_deinit(&out);
    return r;
}

int invocation_done_text(struct invocation *self, struct span details, struct span text)
{
    struct pack result;
    int r;

    pack_init(&result, 0);
    result_pack(details, text, &result);
    r = pack_error(&result);
    if (!r && self->is_rpc) {
        r = rpc_done(self, pack_span(&result));
    } else if (!r) {
        r = actor_token_reply(
            self->tools->actor, self->token, MSG_TOOLS_CALLED,
            &(struct msg_tools_called){ .status = 200, .has_result = true, .result = pack_span(&result) });
    }
    pack_deinit(&result);
    invocation_free(self);
    return r < 0 ? r : 0; /* whoever asked may have gone */
}

int invocation_done(struct invocation *self, struct span details)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (json_from_value_pretty(details, &text)) {
        return invocation_fail(self, 500, "the result cannot be shown as JSON");
    }
    return invocation_done_text(self, details, (struct span){ text.data, text.len });
}

static int rpc_fail(struct invocation *self, const char *code, struct span message)
{
    struct pack out;
    int r;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_bool(&out, "ok", false);
    pack_kv_str(&out, "toolName", self->ask.name);
    pack_key(&out, "error");
    pack_map_begin(&out);
    pack_kv_text(&out, "code", code);
    pack_kv_str(&out, "message", message);
    pack_map_end(&out);
    pack_map_end(&out);
    r = pack_error(&out);
    r = r ? r : actor_token_reply_span(self->tools->actor, self->token, pack_span(&out));
    pack_deinit(&out);
    return r;
}

/* `type` as programs see it over HTTP, `code` as clients of the protocol do. */
static int refuse(struct invocation *self, uint32_t status, const char *type, const char *code, struct span message)
{
    struct msg_tools_called out = {
        .status = status, .has_type = true, .type = span_from(type), .has_message = true, .message = message
    };
    int r = self->is_rpc ? rpc_fail(self, code, message)
                         : actor_token_reply(self->tools->actor, self->token, MSG_TOOLS_CALLED, &out);

    invocation_free(self);
    return r < 0 ? r : 0; /* whoever asked may have gone */
}

int invocation_fail(struct invocation *self, uint32_t status, const char *fmt, ...)
{
    char text[MESSAGE_MAX * 2];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* nothing is so long */
    va_end(args);
    return refuse(self, status, "tool_error", "internal_error", utf8_cut(span_from(text), MESSAGE_MAX));
}

int invocation_fail_as(struct invocation *self, const struct failure *failure)
{
    bool is_for_now = failure->code == FAIL_UNAVAILABLE || failure->code == FAIL_TIMEOUT;
    uint32_t status = is_for_now || failure->code == FAIL_STORAGE ? 503 : failure->code == FAIL_INTERNAL ? 500 : 400;

    return invocation_fail(self, status, "%.*s", SPAN_FMT(utf8_cut(failure->message, MESSAGE_MAX - 1)));
}

/* --- asking --------------------------------------------------------------------------------------------- */

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct invocation *self = cookie;
    int r = 0;

    (void)state;
    self->call = 0;
    if (self->is_abandoned) {
        invocation_free(self); /* nobody waits for it any more */
        return;
    }
    r = self->on_answer(self, answer); /* `self` may be gone from here on */
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

/* Accepted: that is all that was to be known. */
static void on_accepted(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema,
                        const void *msg, struct span body)
{
    struct invocation *self = cookie;

    (void)state;
    (void)msg;
    (void)body;
    if (schema == MSG_AGENT_ACCEPTED) {
        actor_call_cancel(actor, self->call);
    }
}

int invocation_start(struct invocation *self, const struct schema_msg *msg, const void *in, uint32_t deadline_ms,
                     invocation_next next)
{
    struct actor_call call = { .to = "router",
                               .msg = msg,
                               .in = in,
                               .deadline_ms = deadline_ms,
                               .principal = self->ask.client.principal,
                               .on_answer = on_answer,
                               .on_chunk = on_accepted,
                               .window_bytes = WINDOW_BYTES,
                               .cookie = self };

    self->on_answer = next;
    return actor_call(self->tools->actor, &call, &self->call);
}

int invocation_ask(struct invocation *self, const char *to, const struct schema_msg *msg, const void *in,
                   uint32_t deadline_ms, invocation_next next)
{
    struct actor_call call = { .to = to,
                               .msg = msg,
                               .in = in,
                               .deadline_ms = deadline_ms,
                               .principal = self->ask.client.principal,
                               .on_answer = on_answer,
                               .cookie = self };

    self->on_answer = next;
    return actor_call(self->tools->actor, &call, &self->call);
}

/* --- whether it may ------------------------------------------------------------------------------------- */

static bool may_run(const struct invocation *self, const struct tool *tool)
{
    struct policy_subject subject = { .agent_id = span_from(self->agent_id),
                                      .session_key = span_from(self->session_key),
                                      .channel = self->ask.channel,
                                      .account_id = self->ask.account_id };

    return tool && policy_allows(&self->tools->policy, &subject, tool) &&
           policy_gateway_allows(&self->tools->policy, tool) && (is_owner(self) || !tool->is_owners);
}

static int on_resolved(struct invocation *self, const struct actor_answer *answer)
{
    const struct msg_router_resolved *found = answer->msg;
    const struct tool *tool = catalog_find(self->ask.name);

    if (answer->failure) {
        bool is_for_now = answer->failure->code == FAIL_UNAVAILABLE || answer->failure->code == FAIL_TIMEOUT;

        return is_for_now ? invocation_fail_as(self, answer->failure)
                          : refuse(self, 400, "invalid_request", "validation_error", answer->failure->message);
    }
    (void)snprintf(self->session_key, sizeof(self->session_key), "%.*s", SPAN_FMT(found->session_key)); /* fits */
    (void)snprintf(self->agent_id, sizeof(self->agent_id), "%.*s", SPAN_FMT(found->agent_id));          /* fits */
    if (!may_run(self, tool)) {
        char text[640];

        /* Whether there is such a tool that this one may not have is nobody's business. */
        (void)snprintf(text, sizeof(text), "Tool not available: %.*s", SPAN_FMT(self->ask.name));
        return refuse(self, 404, "not_found", "not_found", span_from(text));
    }
    self->tool = tool;
    if (!tool->has_action) {
        self->ask.action = NOTHING;
    }
    return tool->run(self);
}

static int resolve(struct invocation *self)
{
    bool is_named = self->ask.session_key.len && !span_is_text(self->ask.session_key, "main");
    struct msg_router_resolve in = { .has_session_key = is_named || !self->ask.agent_id.len,
                                     .session_key = is_named ? self->ask.session_key : SPAN_LIT("main"),
                                     .has_agent_id = self->ask.agent_id.len > 0,
                                     .agent_id = self->ask.agent_id };

    return invocation_ask(self, "router", MSG_ROUTER_RESOLVE, &in, 0, on_resolved);
}

/* --- coming in ---------------------------------------------------------------------------------------------- */

/* Keeps its own copy of the request. */
static struct invocation *invocation_new(struct tools *tools, struct actor_ctx *ctx)
{
    struct span body = actor_ctx_body(ctx);
    struct invocation *self = mem_new(sizeof(*self));

    self->tools = tools;
    self->body = mem_text(body.ptr, body.len);
    pack_init(&self->rows, ROWS_MAX);
    self->next = tools->invocations;
    tools->invocations = self;
    tools->open_n++;
    return self;
}

static int begin(struct invocation *self, struct actor_ctx *ctx)
{
    struct invocation_ask *ask = &self->ask;

    ask->name = span_trim(ask->name);
    ask->action = span_trim(ask->action);
    ask->session_key = span_trim(ask->session_key);
    ask->agent_id = span_trim(ask->agent_id);
    ask->key = span_trim(ask->key);
    ask->channel = span_trim(ask->channel);
    ask->account_id = span_trim(ask->account_id);
    self->token = actor_defer(ctx, self);
    if (!ask->name.len) {
        return refuse(self, 400, "invalid_request", "validation_error", SPAN_LIT("tools.invoke requires name"));
    }
    return resolve(self);
}

/* Not now: no config yet, or too much at once. 0 when neither is so. */
static int hold_off(const struct tools *self, struct actor_ctx *ctx)
{
    struct failure failure = { .code = FAIL_UNAVAILABLE, .retryable = true, .retry_after_ms = 1000 };

    if (self->has_settings && self->open_n < TOOLS_OPEN_MAX) {
        return 0;
    }
    failure.message =
        self->has_settings ? SPAN_LIT("too many tools run at once") : SPAN_LIT("the config has not been read yet");
    return actor_fail_with(ctx, &failure);
}

int on_tools_invoke(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct msg_tools_invoke in;
    struct invocation *self;
    int r = hold_off(arg, ctx);

    (void)msg;
    if (r) {
        return r;
    }
    self = invocation_new(arg, ctx);
    r = codec_decode(MSG_TOOLS_INVOKE->type, (struct span){ self->body, actor_ctx_body(ctx).len }, &in, NULL);
    if (r) {
        return FAULT_FOLD(r); /* it was decoded once before */
    }
    self->is_rpc = true;
    self->ask = (struct invocation_ask){ .name = in.name,
                                         .args = in.has_args ? in.args : NOTHING,
                                         .session_key = in.session_key,
                                         .agent_id = in.agent_id,
                                         .key = in.idempotency_key,
                                         .client = in.client };
    return begin(self, ctx);
}

int on_tools_call(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct msg_tools_call in;
    struct invocation *self;
    int r = hold_off(arg, ctx);

    (void)msg;
    if (r) {
        return r;
    }
    self = invocation_new(arg, ctx);
    r = codec_decode(MSG_TOOLS_CALL->type, (struct span){ self->body, actor_ctx_body(ctx).len }, &in, NULL);
    if (r) {
        return FAULT_FOLD(r); /* the same */
    }
    self->ask = (struct invocation_ask){ .name = in.name,
                                         .action = in.action,
                                         .args = in.has_args ? in.args : NOTHING,
                                         .session_key = in.session_key,
                                         .agent_id = in.agent_id,
                                         .key = in.idempotency_key,
                                         .channel = in.channel,
                                         .account_id = in.account_id,
                                         .client = in.client };
    return begin(self, ctx);
}
