#include "edge/listener/http.h"

#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "edge/http/embeddings.h"
#include "edge/listener/avatar.h"
#include "edge/listener/canvas.h"
#include "edge/listener/completion.h"
#include "edge/listener/edge.h"
#include "edge/listener/embedding.h"
#include "edge/listener/exchange.h"
#include "edge/listener/hook.h"
#include "edge/listener/join.h"
#include "edge/listener/media.h"
#include "edge/listener/models.h"
#include "edge/listener/openresponse.h"
#include "edge/listener/run_ask.h"
#include "edge/listener/scrape.h"
#include "edge/listener/site.h"
#include "edge/listener/site_file.h"
#include "edge/listener/tool.h"

#define SCOPE_READ "operator.read"
#define SCOPE_WRITE "operator.write"

/* --- answers -------------------------------------------------------------------------- */

static bool head_send(struct stream *stream, struct response *response, bool is_followed)
{
    struct edge *edge = stream->conn->edge;

    response->date = edge_date(edge);
    response->transport_security = edge->transport_security;
    if (!stream->ops->begin(stream, response, is_followed)) {
        return false;
    }
    tally_http(&edge->tally, stream->route, response->status,
               stream->asked_ns ? clock_mono_ns() - stream->asked_ns : 0);
    stream->asked_ns = 0;
    stream->route = TALLY_ROUTE_OTHER;
    return true;
}

void http_head(struct stream *stream, struct response response)
{
    (void)head_send(stream, &response, true); /* false: it ends, and whatever was to follow is freed then */
}

void http_answer(struct stream *stream, struct response response)
{
    if (head_send(stream, &response, false)) {
        stream->ops->end(stream);
    }
}

static void refuse(struct stream *stream, struct response response)
{
    stream->is_kept_alive = false;
    http_answer(stream, response);
}

void http_refuse(struct stream *stream, int status, const char *text)
{
    refuse(stream, (struct response){ .status = status, .type = RESPONSE_TEXT, .body = span_from(text) });
}

void http_refuse_status(struct stream *stream, int status)
{
    http_refuse(stream, status, response_reason(status));
}

static void refuse_json(struct stream *stream, int status, const char *type, const char *message)
{
    struct openai_error error = { .status = status, .type = type };
    struct text_buf text = { 0 };

    (void)snprintf(error.message, sizeof(error.message), "%s", message);
    if (openai_error_write(&error, &text)) {
        stream->ops->break_off(stream);
    } else {
        refuse(stream, (struct response){ .status = status,
                                          .type = RESPONSE_JSON,
                                          .body = { text.data, text.len },
                                          .retry_after_s = status == 503 });
    }
    text_buf_deinit(&text);
}

bool http_is_proxied(const struct request *request)
{
    return request_header(request, "x-forwarded-for").len || request_header(request, "forwarded").len ||
           request_header(request, "x-real-ip").len;
}

/* --- routes --------------------------------------------------------------------------- */

static bool path_is(struct span path, const char *a, const char *b)
{
    return span_is_text(path, a) || (b && span_is_text(path, b));
}

void http_not_allowed(struct stream *stream, const char *allow)
{
    refuse(stream, (struct response){
                       .status = 405, .type = RESPONSE_TEXT, .body = SPAN_LIT("Method Not Allowed"), .allow = allow });
}

static void probe_answer(struct stream *stream, const struct request *request, bool is_readiness)
{
    struct edge *edge = stream->conn->edge;
    struct response response = { .status = 200, .type = RESPONSE_JSON, .cache = "no-store" };

    if (request->method != REQUEST_GET && request->method != REQUEST_HEAD) {
        http_not_allowed(stream, "GET, HEAD");
        return;
    }
    response.is_head = request->method == REQUEST_HEAD;
    response.body = SPAN_LIT("{\"ok\":true,\"status\":\"live\"}");
    if (is_readiness) {
        bool is_full = stream->conn->peer->is_loopback && !http_is_proxied(request);

        edge->scratch.len = 0;
        if (ready_write(&edge->ready, edge_now(edge) - edge->started_ms, is_full, &edge->scratch)) {
            stream->ops->break_off(stream);
            return;
        }
        response.body = (struct span){ edge->scratch.data, edge->scratch.len };
        response.status = ready_is(&edge->ready) && !edge->is_stopping ? 200 : 503;
    }
    http_answer(stream, response);
}

static bool is_json_type(const struct request *request)
{
    struct span type = request_header(request, "content-type");
    const char *end = type.len ? memchr(type.ptr, ';', type.len) : NULL;

    if (end) {
        type.len = (size_t)(end - type.ptr);
    }
    while (type.len > 0 && type.ptr[type.len - 1] == ' ') {
        type.len--;
    }
    return request_is_word(type, "application/json");
}

/*
 * JSON is taken under any name, as clients forget to say it. But a page of another site can
 * send a body under most names, or under none, without asking first, and all that its browser
 * adds is who is signed in at a proxy; a bearer it never adds.
 */
static bool is_body_taken(const struct request *request)
{
    bool is_of_page = request_header(request, "origin").len || request_header(request, "sec-fetch-site").len;

    return is_json_type(request) || !is_of_page || request_header(request, "authorization").len;
}

/* A path that takes JSON by POST. */
struct post_route {
    size_t body_max;
    void (*on_body)(struct exchange *self);
};

static void post_begin(struct stream *stream, const struct request *request, struct span head,
                       const struct post_route *route)
{
    if (request->method != REQUEST_POST) {
        http_not_allowed(stream, "POST");
    } else if (!is_body_taken(request)) {
        refuse_json(stream, 415, "invalid_request_error",
                    "A page that sends no Authorization header must send Content-Type: application/json.");
    } else if (request->body == REQUEST_BODY_LENGTH && request->body_len > route->body_max) {
        large_note(stream->conn->edge, LARGE_BODY, request->body_len);
        refuse_json(stream, 413, "invalid_request_error", "Payload too large");
    } else {
        stream->body_max = route->body_max;
        exchange_begin(stream, head, &(struct exchange_kind){ .scope = SCOPE_WRITE, .on_body = route->on_body });
    }
}

static void read_begin(struct stream *stream, const struct request *request, struct span head,
                       void (*on_body)(struct exchange *))
{
    if (request->method != REQUEST_GET) {
        http_not_allowed(stream, "GET");
    } else if (request->body != REQUEST_BODY_NONE) {
        http_refuse_status(stream, 400);
    } else {
        exchange_begin(stream, head, &(struct exchange_kind){ .scope = SCOPE_READ, .on_body = on_body });
    }
}

/* What may be switched on says so. */
static const char *unserved_words(struct span path)
{
    if (path_is(path, "/v1/chat/completions", NULL)) {
        return "Chat completions are switched off: gateway.http.endpoints.chatCompletions.enabled is false.";
    }
    if (path_is(path, "/v1/responses", NULL)) {
        return "Responses are switched off: set gateway.http.endpoints.responses.enabled to true.";
    }
    if (path_is(path, "/v1/embeddings", NULL) || path_is(path, "/v1/models", NULL) ||
        span_starts(path, "/v1/models/")) {
        return "Switched off: gateway.http.endpoints.chatCompletions.enabled or .responses.enabled must be true.";
    }
    return "Unknown path.";
}

static void v1_route(struct stream *stream, const struct request *request, struct span head)
{
    const struct endpoints *on = &stream->conn->edge->endpoints;
    bool is_any = on->chat.is_on || on->responses.is_on;

    if (on->chat.is_on && path_is(request->path, "/v1/chat/completions", NULL)) {
        post_begin(stream, request, head, &(struct post_route){ on->chat.body_max, completion_start });
    } else if (on->responses.is_on && path_is(request->path, "/v1/responses", NULL)) {
        post_begin(stream, request, head, &(struct post_route){ on->responses.body_max, openresponse_start });
    } else if (is_any && path_is(request->path, "/v1/embeddings", NULL)) {
        post_begin(stream, request, head, &(struct post_route){ EMBEDDINGS_BODY_MAX, embedding_start });
    } else if (is_any && (path_is(request->path, "/v1/models", NULL) || span_starts(request->path, "/v1/models/"))) {
        read_begin(stream, request, head, models_start);
    } else {
        refuse_json(stream, 404, "not_found", unserved_words(request->path));
    }
}

void http_route(struct stream *stream, const struct request *request, struct span head)
{
    if (canvas_serve(stream, request, head)) {
        return;
    }
    if (path_is(request->path, "/healthz", "/health")) {
        probe_answer(stream, request, false);
    } else if (path_is(request->path, "/readyz", "/ready")) {
        probe_answer(stream, request, true);
    } else if (hook_is_here(stream->conn->edge, request->path)) {
        hook_begin(stream, request, head);
    } else if (path_is(request->path, "/tools/invoke", NULL)) {
        post_begin(stream, request, head, &(struct post_route){ TOOL_BODY_MAX, tool_start });
    } else if (path_is(request->path, "/metrics", NULL)) {
        read_begin(stream, request, head, scrape_start);
    } else if (join_is_here(request->path)) {
        join_begin(stream, request, head);
    } else if (span_starts(request->path, "/v1/")) {
        v1_route(stream, request, head);
    } else if (!avatar_serve(stream, request, head) && !media_serve(stream, request, head) &&
               !site_serve(stream, request, head)) {
        http_answer(stream, (struct response){ .status = 404,
                                               .type = RESPONSE_TEXT,
                                               .body = SPAN_LIT("Not Found"),
                                               .is_head = request->method == REQUEST_HEAD });
    }
}

/* --- while it is under way -------------------------------------------------------------- */

void http_overfull(struct stream *stream)
{
    if (stream->exchange) {
        exchange_abandon(TAKE(stream->exchange));
    }
    refuse_json(stream, 503, "api_error", "Too much is being sent to this gateway at once. Try again in a moment.");
}

void http_drained(struct stream *stream)
{
    if (stream->exchange) {
        run_ask_drained(stream->exchange);
    } else if (stream->file) {
        site_file_drained(stream);
    }
}

void http_abandon(struct stream *stream)
{
    if (stream->file) {
        site_file_abandon(TAKE(stream->file));
    }
    if (stream->exchange) {
        exchange_abandon(TAKE(stream->exchange));
    }
}
