#include "edge/listener/completion.h"

#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/base/clock.h"
#include "bus/codec.h"
#include "bus/value.h"
#include "edge/listener/edge.h"
#include "edge/listener/http.h"
#include "schema_gen.h"

#define WINDOW_BYTES 262144U

/* --- failures ------------------------------------------------------------------------- */

static const struct {
    int code;
    int status;
    const char *type;
} statuses[] = {
    { FAIL_INVALID_REQUEST, 400, "invalid_request_error" },
    { FAIL_UNAVAILABLE, 503, "api_error" },
    { FAIL_TIMEOUT, 504, "api_error" },
    { FAIL_CANCELLED, 503, "api_error" },
    { FAIL_INTERNAL, 500, "api_error" },
    { FAIL_AGENT_TIMEOUT, 504, "api_error" },
    { FAIL_MISSING_SCOPE, 403, "forbidden" },
    { FAIL_RATE_LIMITED, 429, "rate_limited" },
    { FAIL_STORAGE, 503, "api_error" },
    { FAIL_PROVIDER, 502, "api_error" },
    { FAIL_AGENT_UNKNOWN, 404, "invalid_request_error" },
};

static void error_of(const struct failure *failure, struct openai_error *ret_error)
{
    *ret_error = (struct openai_error){ .status = 500, .type = "api_error" };
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].code == failure->code) {
            ret_error->status = statuses[i].status;
            ret_error->type = statuses[i].type;
        }
    }
    if (failure->code == FAIL_AGENT_UNKNOWN) {
        ret_error->code = "model_not_found";
    }
    (void)snprintf(ret_error->message, sizeof(ret_error->message), "%.*s", SPAN_FMT(failure->message)); /* cut */
    if (failure->message.len == 0) {
        (void)snprintf(ret_error->message, sizeof(ret_error->message), "internal error");
    }
}

static uint32_t retry_after_of(const struct failure *failure)
{
    if (failure->retry_after_ms) {
        return (failure->retry_after_ms + 999) / 1000;
    }
    return failure->code == FAIL_UNAVAILABLE ? 1 : 0;
}

/* The stream has begun, so the status is spoken for: the error is an event, and no [DONE]. */
static void stream_fail(struct exchange *self, const struct openai_error *error)
{
    size_t at;
    struct text_buf *out = exchange_event_begin(self, &at);

    if (out && openai_error_write(error, out)) {
        conn_kill(self->call.conn);
    } else if (out) {
        exchange_event_end(self, out, at);
    }
    exchange_stream_end(self, true);
}

/* --- streaming ------------------------------------------------------------------------ */

static void stream_begin(struct exchange *self)
{
    struct text_buf *out;
    size_t at;

    if (self->has_begun) {
        return;
    }
    exchange_stream_begin(self);
    out = exchange_event_begin(self, &at);
    if (out && openai_chunk_role(&self->run, out)) {
        conn_kill(self->call.conn);
    } else if (out) {
        exchange_event_end(self, out, at);
    }
}

static void text_send(struct exchange *self, struct span text)
{
    struct text_buf *out;
    size_t at;

    if (text.len == 0) {
        return;
    }
    out = exchange_event_begin(self, &at);
    if (out && openai_chunk_text(&self->run, text, out)) {
        conn_kill(self->call.conn);
    } else if (out) {
        exchange_event_end(self, out, at);
    }
}

static void on_delta(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema, const void *msg,
                     struct span body)
{
    struct exchange *self = cookie;
    const struct msg_run_delta *delta = msg;

    (void)state;
    (void)actor;
    if (!self->call.conn || schema != MSG_RUN_DELTA || !delta) {
        return;
    }
    stream_begin(self);
    text_send(self, delta->text);
    self->debt += (uint32_t)body.len;
}

void completion_drained(struct exchange *self)
{
    if (self->debt && self->call.id) {
        actor_call_grant(self->edge->actor, self->call.id, self->debt);
        self->debt = 0;
    }
}

/* A model's last word: the reason why it stopped, then what it cost, then the end mark. */
static void stream_finish(struct exchange *self, const struct msg_run_done *done)
{
    struct openai_usage usage = { done->usage.input, done->usage.output };
    struct text_buf *out;
    size_t at;

    stream_begin(self);
    if (done->has_text) {
        text_send(self, done->text);
    }
    out = exchange_event_begin(self, &at);
    if (out && !openai_chunk_finish(&self->run, done->finish_reason, out)) {
        exchange_event_end(self, out, at);
    }
    out = self->has_usage ? exchange_event_begin(self, &at) : NULL;
    if (out && !openai_chunk_usage(&self->run, &usage, out)) {
        exchange_event_end(self, out, at);
    }
    out = exchange_event_begin(self, &at);
    if (out && !text_buf_add(out, SPAN_LIT("[DONE]"))) {
        exchange_event_end(self, out, at);
    }
    exchange_stream_end(self, false);
}

static void whole_finish(struct exchange *self, const struct msg_run_done *done)
{
    struct openai_usage usage = { done->usage.input, done->usage.output };
    struct text_buf text = { NULL, 0, 0 };

    if (openai_completion_write(&self->run, done->text, done->finish_reason, &usage, &text)) {
        conn_kill(self->call.conn);
    }
    exchange_answer(self, 200, (struct span){ text.data, text.len }, 0);
    text_buf_deinit(&text);
}

static void on_done(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    struct openai_error error;

    (void)state;
    (void)actor;
    self->call.id = 0;
    if (!self->call.conn) {
        exchange_destroy(self);
    } else if (!reply->failure && self->is_streamed) {
        stream_finish(self, reply->msg);
    } else if (!reply->failure) {
        whole_finish(self, reply->msg);
    } else {
        error_of(reply->failure, &error);
        if (self->has_begun) {
            stream_fail(self, &error);
        } else {
            exchange_error(self, &error, retry_after_of(reply->failure));
        }
    }
}

/* --- the request ------------------------------------------------------------------------ */

/* Who asks, as the agents see it; spans point into `decision` and the exchange. */
static void client_of(const struct exchange *self, const struct msg_auth_decision *decision, struct type_client *ret)
{
    *ret = (struct type_client){ .conn_id = span_from(self->run.id),
                                 .role = decision->role,
                                 .scopes = decision->scopes,
                                 .principal = decision->principal,
                                 .is_local = decision->is_local,
                                 .has_client_id = true,
                                 .client_id = SPAN_LIT("openai-http"),
                                 .has_mode = true,
                                 .mode = SPAN_LIT("backend"),
                                 .has_auth_method = true,
                                 .auth_method = decision->method,
                                 .has_remote_ip = decision->has_remote_ip,
                                 .remote_ip = decision->remote_ip };
}

static void header_take(const struct exchange *self, const char *name, size_t max, bool *ret_has,
                        struct span *ret_value)
{
    struct span value = request_header(&self->request, name);

    if (value.len > 0 && value.len <= max) {
        *ret_has = true;
        *ret_value = value;
    }
}

static void run_fill(const struct exchange *self, const struct openai_request *asked, struct pack *stops,
                     struct msg_agent_run *run)
{
    run->messages = asked->messages;
    run->has_agent_id = asked->agent_id.len > 0;
    run->agent_id = asked->agent_id;
    run->has_user = asked->user.len > 0;
    run->user = asked->user;
    run->has_max_tokens = asked->has_max_tokens;
    run->max_tokens = asked->max_tokens;
    run->has_temperature = asked->has_temperature;
    run->temperature = asked->temperature;
    run->has_top_p = asked->has_top_p;
    run->top_p = asked->top_p;
    run->has_stop = asked->stop.len > 0;
    run->stop = asked->stop;
    if (value_kind_of(asked->stop) == VALUE_STR) {
        pack_array_begin(stops);
        pack_raw(stops, asked->stop);
        pack_array_end(stops);
        run->stop = pack_span(stops);
    }
    header_take(self, "x-openclaw-agent-id", 64, &run->has_agent_id, &run->agent_id);
    header_take(self, "x-openclaw-model", 256, &run->has_model, &run->model);
    header_take(self, "x-openclaw-session-key", 512, &run->has_session_key, &run->session_key);
    header_take(self, "x-openclaw-message-channel", 64, &run->has_channel, &run->channel);
    header_take(self, "idempotency-key", 256, &run->has_idempotency_key, &run->idempotency_key);
}

static int run_call(struct exchange *self, const struct openai_request *asked)
{
    struct msg_auth_decision decision;
    struct msg_agent_run run = { .has_client = true };
    struct codec_error error;
    struct pack stops;
    struct actor_call call = { .to = "router",
                               .msg = MSG_AGENT_RUN,
                               .in = &run,
                               .deadline_ms = TIME_CALL_MAX_MS,
                               .on_answer = on_done,
                               .cookie = self };
    int r = codec_decode(MSG_AUTH_DECISION->type, (struct span){ self->decision.data, self->decision.len }, &decision,
                         &error);

    if (r) {
        return FAULT_FOLD(r); /* it was decoded once before */
    }
    pack_init(&stops, 4096);
    run_fill(self, asked, &stops, &run);
    client_of(self, &decision, &run.client);
    call.principal = decision.principal;
    if (self->is_streamed) {
        call.window_bytes = WINDOW_BYTES;
        call.on_chunk = on_delta;
    }
    r = actor_call(self->edge->actor, &call, &self->call.id);
    pack_deinit(&stops);
    return r;
}

static void run_describe(struct exchange *self, const struct openai_request *asked)
{
    char id[EDGE_ID_MAX];

    edge_uuid(id);
    (void)snprintf(self->run.id, sizeof(self->run.id), "chatcmpl_%s", id); /* fits */
    self->run.created_s = clock_wall_ms() / 1000;
    self->model = mem_text(asked->model.ptr, asked->model.len);
    self->run.model = span_from(self->model);
    self->is_streamed = asked->is_streamed;
    self->has_usage = asked->has_usage;
}

void completion_start(struct exchange *self)
{
    struct openai_request asked;
    struct openai_error error = { .status = 503, .type = "api_error", .message = "The gateway is short of memory." };
    struct pack pack;
    int r;

    pack_init(&pack, (size_t)OPENAI_BODY_MAX * 2);
    r = openai_request_parse((struct span){ self->body.data, self->body.len }, &pack, &asked, &error);
    text_buf_deinit(&self->body);
    self->body = (struct text_buf){ NULL, 0, 0 };
    if (!r) {
        run_describe(self, &asked);
        r = run_call(self, &asked);
    }
    pack_deinit(&pack);
    if (r) {
        exchange_error(self, &error, error.status == 503 ? 1 : 0);
    }
}

/* --- GET /v1/models --------------------------------------------------------------------- */

static int model_add(struct text_buf *out, struct span prefix, struct span id, struct span wanted, bool is_first)
{
    char name[96];
    struct span full = { name, 0 };
    int r;

    full.len = (size_t)snprintf(name, sizeof(name), "%.*s%.*s", SPAN_FMT(prefix), SPAN_FMT(id));
    if (wanted.len > 0) {
        return span_is(full, wanted) ? openai_model_write(full, out) : 0;
    }
    r = is_first ? 0 : text_buf_add(out, SPAN_LIT(","));
    return r ? r : openai_model_write(full, out);
}

/* All rows, or with `wanted` the one of that id (nothing when there is none). */
static int models_write(const struct msg_router_agent_list *list, struct span wanted, struct text_buf *out)
{
    struct value_iter iter = value_iter(list->agents);
    struct span key;
    struct span item;
    int r = model_add(out, (struct span){ "", 0 }, SPAN_LIT("openclaw"), wanted, true);

    r = r ? r : model_add(out, SPAN_LIT("openclaw/"), SPAN_LIT("default"), wanted, false);
    while (!r && value_next(&iter, &key, &item)) {
        struct span id = value_str(value_get(item, "id"), (struct span){ NULL, 0 });

        r = model_add(out, SPAN_LIT("openclaw/"), id, wanted, false);
    }
    return r;
}

/* The id behind "/v1/models/", percent-decoded; false when it is no valid one. */
static bool model_id_of(struct span path, char id[96], struct span *ret_id)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;

    for (size_t i = sizeof("/v1/models/") - 1; i < path.len; i++) {
        char c = path.ptr[i];

        if (c == '%') {
            const char *high = i + 2 < path.len ? strchr(digits, path.ptr[i + 1] | 0x20) : NULL;
            const char *low = high ? strchr(digits, path.ptr[i + 2] | 0x20) : NULL;

            if (!high || !low || !*high || !*low) {
                return false;
            }
            c = (char)((high - digits) * 16 + (low - digits));
            i += 2;
        }
        if (len == 95 || (unsigned char)c < 0x20) {
            return false;
        }
        id[len++] = c;
    }
    *ret_id = (struct span){ id, len };
    return len > 0;
}

static void models_answer(struct exchange *self, const struct msg_router_agent_list *list)
{
    static const struct span prefix = { "/v1/models/", sizeof("/v1/models/") - 1 };
    bool is_one = span_starts(self->request.path, prefix.ptr);
    struct openai_error error = { .status = 400, .type = "invalid_request_error", .message = "Invalid model id." };
    struct span wanted = { NULL, 0 };
    struct span agent_id;
    struct text_buf text = { NULL, 0, 0 };
    char id[96];
    int r = 0;

    if (is_one && (!model_id_of(self->request.path, id, &wanted) || !openai_agent_of(wanted, &agent_id))) {
        exchange_error(self, &error, 0);
        return;
    }
    r = is_one ? 0 : text_buf_add(&text, SPAN_LIT("{\"object\":\"list\",\"data\":["));
    r = r ? r : models_write(list, wanted, &text);
    r = r || is_one ? r : text_buf_add(&text, SPAN_LIT("]}"));
    if (r) {
        conn_kill(self->call.conn);
    }
    if (is_one && text.len == 0) {
        error.status = 404;
        error.code = "model_not_found";
        (void)snprintf(error.message, sizeof(error.message), "Model '%.*s' not found.", SPAN_FMT(wanted));
        exchange_error(self, &error, 0);
    } else {
        exchange_answer(self, 200, (struct span){ text.data, text.len }, 0);
    }
    text_buf_deinit(&text);
}

static void on_agents(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    struct openai_error error;

    (void)state;
    (void)actor;
    self->call.id = 0;
    if (!self->call.conn) {
        exchange_destroy(self);
    } else if (reply->failure) {
        error_of(reply->failure, &error);
        exchange_error(self, &error, retry_after_of(reply->failure));
    } else {
        models_answer(self, reply->msg);
    }
}

void completion_models(struct exchange *self)
{
    struct openai_error error = { .status = 503, .type = "api_error", .message = "The gateway is short of memory." };
    struct msg_router_agents in = { 0 };
    struct actor_call call = {
        .to = "router", .msg = MSG_ROUTER_AGENTS, .in = &in, .on_answer = on_agents, .cookie = self
    };

    if (actor_call(self->edge->actor, &call, &self->call.id)) {
        exchange_error(self, &error, 1);
    }
}
