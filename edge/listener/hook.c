#include "edge/listener/hook.h"

#include <stdio.h>
#include <string.h>

#include "bus/codec.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/http/query.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/shown.h"
#include "schema_gen.h"

#define TAKE_MS 60000U /* for what a transform makes of it, and for storing it */
#define QUERY_MAX 64U
#define JSON_DEPTH 32U

bool hook_is_here(const struct edge *edge, struct span path)
{
    size_t len = strlen(edge->hooks.path);

    return edge->hooks.is_on && span_starts(path, edge->hooks.path) && (path.len == len || path.ptr[len] == '/');
}

/* What stands behind hooks.path. */
static struct span path_below(const struct exchange *self)
{
    struct span path = self->request.path;
    size_t len = strlen(self->edge->hooks.path);

    if (!hook_is_here(self->edge, path)) {
        return (struct span){ NULL, 0 }; /* they were moved or switched off meanwhile */
    }
    path.ptr += len;
    path.len -= len;
    while (path.len && path.ptr[0] == '/') {
        path.ptr++;
        path.len--;
    }
    return path;
}

/* --- answers -------------------------------------------------------------------------------- */

static void json_answer(struct exchange *self, int status, const char *key, struct span text, uint32_t retry_after_s)
{
    struct text_buf json = { 0 };
    int r = text_buf_add(&json, key[0] == 'e' ? SPAN_LIT("{\"ok\":false,\"") : SPAN_LIT("{\"ok\":true,\""));

    r = r ? r : text_buf_add(&json, span_from(key));
    r = r ? r : text_buf_add(&json, SPAN_LIT("\":"));
    r = r ? r : json_from_text(text, &json);
    r = r ? r : text_buf_add(&json, SPAN_LIT("}"));
    if (r) {
        exchange_break(self);
    }
    exchange_answer(self, status, (struct span){ json.data, json.len }, retry_after_s);
    text_buf_deinit(&json);
}

/* What is wrong before, or instead of, the word of `hooks`, as senders of hooks know it. */
static void on_error(struct exchange *self, const struct openai_error *error, uint32_t retry_after_s)
{
    switch (error->status) {
    case 401:
        exchange_text_later(self, 401, SPAN_LIT("Unauthorized"), 0);
        break;
    case 429:
        exchange_text_later(self, 429, SPAN_LIT("Too Many Requests"), retry_after_s);
        break;
    case 413:
        json_answer(self, 413, "error", SPAN_LIT("payload too large"), 0);
        break;
    case 408:
        json_answer(self, 408, "error", SPAN_LIT("request body timeout"), 0);
        break;
    default:
        json_answer(self, error->status, "error", span_from(error->message), retry_after_s);
    }
}

static void taken_answer(struct exchange *self, const struct msg_hook_taken *taken)
{
    if (taken->status == 404) {
        exchange_text_later(self, 404, SPAN_LIT("Not Found"), 0);
    } else if (taken->status == 204) {
        exchange_nothing(self);
    } else if (taken->has_run_id) {
        json_answer(self, 200, "runId", taken->run_id, 0);
    } else if (taken->has_mode) {
        json_answer(self, 200, "mode", taken->mode, 0);
    } else {
        json_answer(self, (int)taken->status, "error", taken->error, 0);
    }
}

static void on_taken(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (!reply->failure) {
        taken_answer(self, reply->msg);
    } else {
        uint32_t wait_s = (reply->failure->retry_after_ms + 999) / 1000;

        json_answer(self, 503, "error", reply->failure->message, wait_s ? wait_s : 1);
    }
}

/* --- the request ------------------------------------------------------------------------------ */

/* 0, or what is wrong with the body in `error`, whose status is set. */
static int payload_pack(struct exchange *self, struct pack *out, struct openai_error *error)
{
    struct span text = span_trim((struct span){ self->body.data, self->body.len });
    struct json_opts opts = { .depth_max = JSON_DEPTH };
    struct json_error why;
    int r;

    r = json_to_pack(text.len ? text : SPAN_LIT("{}"), &opts, out, &why);
    if (r < 0) {
        *error = (struct openai_error){ .status = 413 };
    } else if (r == JSON_E_DEPTH) {
        *error = (struct openai_error){ .status = 400 };
        (void)snprintf(error->message, sizeof(error->message), "The body is nested deeper than %u levels.", JSON_DEPTH);
    } else if (r) {
        *error = (struct openai_error){ .status = 400 };
        (void)snprintf(error->message, sizeof(error->message),
                       "The body is not JSON at line %u, column %u: expected %s", why.line, why.column, why.expected);
    }
    return r;
}

static int hook_post(struct exchange *self, struct span path, struct span payload)
{
    struct msg_auth_decision decision;
    struct msg_hook_post in = { .path = path, .payload = payload };
    struct actor_call call = { .to = "hooks",
                               .msg = MSG_HOOK_POST,
                               .in = &in,
                               .deadline_ms = TAKE_MS,
                               .trace = self->trace,
                               .on_answer = on_taken,
                               .cookie = self };
    struct pack query;
    struct pack headers;
    int r = codec_decode(MSG_AUTH_DECISION->type, (struct span){ self->decision.data, self->decision.len }, &decision,
                         NULL);

    if (r) {
        return FAULT_FOLD(r); /* it was decoded once before */
    }
    pack_init(&query, 65536);
    pack_init(&headers, 65536);
    query_pack(self->request.query, QUERY_MAX, &query);
    shown_headers_harmless(&self->request, &headers);
    in.query = pack_span(&query);
    in.headers = pack_span(&headers);
    call.principal = decision.principal;
    r = pack_error(&query) || pack_error(&headers) ? -E2BIG : actor_call(self->edge->actor, &call, &self->call.id);
    pack_deinit(&query);
    pack_deinit(&headers);
    return r;
}

static void on_body(struct exchange *self)
{
    struct openai_error error = { .status = 503, .message = "The hook cannot be passed on now." };
    struct span path = path_below(self);
    struct pack payload;
    int r;

    if (!path.len) {
        exchange_text_later(self, 404, SPAN_LIT("Not Found"), 0);
        return;
    }
    pack_init(&payload, HOOKS_BODY_MAX * 3);
    r = payload_pack(self, &payload, &error);
    r = r ? r : hook_post(self, path, pack_span(&payload));
    pack_deinit(&payload);
    if (r) {
        on_error(self, &error, error.status == 503 ? 1 : 0);
    }
}

void hook_begin(struct stream *stream, const struct request *request, struct span head)
{
    static const struct exchange_kind kind = { .surface = "hooks", .on_body = on_body, .on_error = on_error };

    stream->route = TALLY_ROUTE_HOOKS;
    if (query_has(request->query, "token")) {
        http_refuse(stream, 400,
                    "A hook's token belongs into the header \"Authorization: Bearer <token>\" or \"X-OpenClaw-Token\"; "
                    "in an address, where logs keep it, it is not taken.");
        return;
    }
    if (request->method != REQUEST_POST) {
        http_not_allowed(stream, "POST");
        return;
    }
    stream->body_max = stream->conn->edge->hooks.body_max;
    exchange_begin(stream, head, &kind);
}
