#include "edge/listener/http.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "edge/http/embeddings.h"
#include "edge/listener/completion.h"
#include "edge/listener/edge.h"
#include "edge/listener/embedding.h"
#include "edge/listener/exchange.h"
#include "edge/listener/hook.h"
#include "edge/listener/models.h"
#include "edge/listener/openresponse.h"
#include "edge/listener/run_ask.h"
#include "edge/listener/scrape.h"
#include "edge/listener/site.h"
#include "edge/listener/tool.h"
#include "edge/listener/ws.h"

#define SCOPE_READ "operator.read"
#define SCOPE_WRITE "operator.write"

static const struct conn_ops http_ops;

/* --- answers -------------------------------------------------------------------------- */

void http_count(struct conn *conn, int status)
{
    const struct http *http = conn->state;

    tally_http(&conn->edge->tally, http->route, status, http->asked_ns ? clock_mono_ns() - http->asked_ns : 0);
}

static bool response_send(struct conn *conn, struct response *response)
{
    struct http *http = conn->state;
    struct text_buf *out = conn_out(conn);
    size_t before = out ? out->len : 0;

    response->date = edge_date(conn->edge);
    response->transport_security = conn->edge->transport_security;
    response->is_closing = !http->is_kept_alive;
    if (!out) {
        return false;
    }
    http_count(conn, response->status);
    http->asked_ns = 0;
    http->route = TALLY_ROUTE_OTHER;
    if (response_write(response, out)) {
        conn_kill(conn);
        return false;
    }
    conn_commit(conn, before);
    return true;
}

void http_head(struct conn *conn, struct response response)
{
    (void)response_send(conn, &response); /* false: the connection ends, its on_close frees what was to follow */
}

/* Sends one whole answer and gets ready for the next request, or ends the connection. */
void http_answer(struct conn *conn, struct response response)
{
    struct http *http = conn->state;

    if (!response_send(conn, &response)) {
        return;
    }
    http->stage = HTTP_HEAD;
    http->scanned = 0;
    if (response.is_closing) {
        conn_finish(conn);
    } else {
        conn_deadline(conn, TIME_KEEP_ALIVE_MS);
    }
}

/* An answer before, or instead of, reading the whole request. */
static void refuse(struct conn *conn, struct response response)
{
    struct http *http = conn->state;

    http->is_kept_alive = false;
    http_answer(conn, response);
}

static void refuse_text(struct conn *conn, int status)
{
    refuse(conn,
           (struct response){ .status = status, .type = RESPONSE_TEXT, .body = span_from(response_reason(status)) });
}

static void refuse_json(struct conn *conn, int status, const char *type, const char *message)
{
    struct openai_error error = { .status = status, .type = type };
    struct text_buf text = { 0 };

    (void)snprintf(error.message, sizeof(error.message), "%s", message);
    if (openai_error_write(&error, &text)) {
        conn_kill(conn);
    } else {
        refuse(conn, (struct response){ .status = status,
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

void http_not_allowed(struct conn *conn, const char *allow)
{
    refuse(conn, (struct response){
                     .status = 405, .type = RESPONSE_TEXT, .body = SPAN_LIT("Method Not Allowed"), .allow = allow });
}

static void probe_answer(struct conn *conn, const struct request *request, bool is_readiness)
{
    struct edge *edge = conn->edge;
    struct response response = { .status = 200, .type = RESPONSE_JSON, .cache = "no-store" };

    if (request->method != REQUEST_GET && request->method != REQUEST_HEAD) {
        http_not_allowed(conn, "GET, HEAD");
        return;
    }
    response.is_head = request->method == REQUEST_HEAD;
    response.body = SPAN_LIT("{\"ok\":true,\"status\":\"live\"}");
    if (is_readiness) {
        bool is_full = conn->peer->is_loopback && !http_is_proxied(request);

        edge->scratch.len = 0;
        if (ready_write(&edge->ready, edge_now(edge) - edge->started_ms, is_full, &edge->scratch)) {
            conn_kill(conn);
            return;
        }
        response.body = (struct span){ edge->scratch.data, edge->scratch.len };
        response.status = ready_is(&edge->ready) && !edge->is_stopping ? 200 : 503;
    }
    http_answer(conn, response);
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
    return type.len == 0 || request_is_word(type, "application/json");
}

/* A path that takes JSON by POST. */
struct post_route {
    size_t body_max;
    void (*on_body)(struct exchange *self);
};

static void post_begin(struct conn *conn, const struct request *request, struct span head,
                       const struct post_route *route)
{
    struct http *http = conn->state;

    if (request->method != REQUEST_POST) {
        http_not_allowed(conn, "POST");
    } else if (!is_json_type(request)) {
        refuse_json(conn, 415, "invalid_request_error", "Content-Type must be application/json.");
    } else if (request->body == REQUEST_BODY_LENGTH && request->body_len > route->body_max) {
        large_note(conn->edge, LARGE_BODY, request->body_len);
        refuse_json(conn, 413, "invalid_request_error", "Payload too large");
    } else {
        http->body_max = route->body_max;
        exchange_begin(conn, head, &(struct exchange_kind){ .scope = SCOPE_WRITE, .on_body = route->on_body });
    }
}

static void read_begin(struct conn *conn, const struct request *request, struct span head,
                       void (*on_body)(struct exchange *))
{
    if (request->method != REQUEST_GET) {
        http_not_allowed(conn, "GET");
    } else if (request->body != REQUEST_BODY_NONE) {
        refuse_text(conn, 400);
    } else {
        exchange_begin(conn, head, &(struct exchange_kind){ .scope = SCOPE_READ, .on_body = on_body });
    }
}

static void v1_route(struct conn *conn, const struct request *request, struct span head)
{
    const struct endpoints *on = &conn->edge->endpoints;
    bool is_any = on->chat.is_on || on->responses.is_on;

    if (on->chat.is_on && path_is(request->path, "/v1/chat/completions", NULL)) {
        post_begin(conn, request, head, &(struct post_route){ on->chat.body_max, completion_start });
    } else if (on->responses.is_on && path_is(request->path, "/v1/responses", NULL)) {
        post_begin(conn, request, head, &(struct post_route){ on->responses.body_max, openresponse_start });
    } else if (is_any && path_is(request->path, "/v1/embeddings", NULL)) {
        post_begin(conn, request, head, &(struct post_route){ EMBEDDINGS_BODY_MAX, embedding_start });
    } else if (is_any && (path_is(request->path, "/v1/models", NULL) || span_starts(request->path, "/v1/models/"))) {
        read_begin(conn, request, head, models_start);
    } else {
        refuse_json(conn, 404, "not_found", "Unknown path.");
    }
}

static void request_route(struct conn *conn, const struct request *request, struct span head)
{
    if (request->is_upgrade) {
        ws_upgrade(conn, request);
    } else if (path_is(request->path, "/healthz", "/health")) {
        probe_answer(conn, request, false);
    } else if (path_is(request->path, "/readyz", "/ready")) {
        probe_answer(conn, request, true);
    } else if (hook_is_here(conn->edge, request->path)) {
        hook_begin(conn, request, head);
    } else if (path_is(request->path, "/tools/invoke", NULL)) {
        post_begin(conn, request, head, &(struct post_route){ TOOL_BODY_MAX, tool_start });
    } else if (path_is(request->path, "/metrics", NULL)) {
        read_begin(conn, request, head, scrape_start);
    } else if (span_starts(request->path, "/v1/")) {
        v1_route(conn, request, head);
    } else if (!site_serve(conn, request, head)) {
        http_answer(conn, (struct response){ .status = 404,
                                             .type = RESPONSE_TEXT,
                                             .body = SPAN_LIT("Not Found"),
                                             .is_head = request->method == REQUEST_HEAD });
    }
}

void http_refuse(struct conn *conn, int status, const char *text)
{
    refuse(conn, (struct response){ .status = status, .type = RESPONSE_TEXT, .body = span_from(text) });
}

/* --- reading -------------------------------------------------------------------------- */

static const int refusals[] = {
    [REQUEST_E_BAD] = 400, [REQUEST_E_LARGE] = 431, [REQUEST_E_VERSION] = 505, [REQUEST_E_ENCODING] = 501
};

/* Takes one request head off the input; 0 when it is not complete. */
static size_t head_take(struct conn *conn, struct span input)
{
    struct http *http = conn->state;
    struct request request;
    size_t len;
    int r;

    if (input.ptr[0] == '\r' || input.ptr[0] == '\n') {
        return 1; /* RFC 9112 §2.2: empty lines before a request are ignored */
    }
    if ((uint8_t)input.ptr[0] < ' ') {
        refuse_text(conn, 400); /* TLS, most likely: its client shall not wait for more */
        return input.len;
    }
    len = request_head_len(input, http->scanned);
    if (len == 0 && input.len < REQUEST_HEAD_MAX) {
        if (http->scanned == 0) {
            conn_deadline(conn, edge_head_ms(conn->edge));
        }
        http->scanned = input.len;
        return 0;
    }
    http->scanned = 0;
    r = len ? request_parse((struct span){ input.ptr, len }, &request) : REQUEST_E_LARGE;
    if (r) {
        refuse_text(conn, refusals[r]);
        return input.len;
    }
    http->is_kept_alive = request.is_kept_alive && request.body == REQUEST_BODY_NONE && !conn->edge->is_stopping;
    http->is_http10 = request.is_http10;
    http->body = request.body;
    http->body_left = request.body_len;
    http->chunked = (struct chunked){ 0 };
    http->asked_ns = clock_mono_ns();
    http->route = request.is_upgrade ? TALLY_ROUTE_WEBSOCKET : tally_route_of(request.path);
    request_route(conn, &request, (struct span){ input.ptr, len });
    return len;
}

static void body_finish(struct conn *conn)
{
    struct http *http = conn->state;

    http->body = REQUEST_BODY_NONE;
    http->is_kept_alive = http->exchange->request.is_kept_alive && !conn->edge->is_stopping;
    http->stage = HTTP_WAIT;
    conn_deadline(conn, 0);
    http->exchange->kind.on_body(http->exchange);
}

static void body_refuse(struct conn *conn, int status, const char *message)
{
    struct http *http = conn->state;
    struct openai_error error = { .status = status, .type = "invalid_request_error" };

    (void)snprintf(error.message, sizeof(error.message), "%s", message);
    exchange_error(http->exchange, &error, 0);
}

static bool body_add(struct conn *conn, struct span data)
{
    struct http *http = conn->state;
    struct text_buf *body = &http->exchange->body;

    if (body->len + data.len > http->body_max) {
        large_note(conn->edge, LARGE_BODY, body->len + data.len);
        body_refuse(conn, 413, "Payload too large");
        return false;
    }
    if (text_buf_add(body, data)) {
        conn_kill(conn);
        return false;
    }
    return true;
}

static size_t body_take(struct conn *conn, struct span input)
{
    struct http *http = conn->state;
    size_t len = input.len;
    struct span data;
    int r;

    conn_deadline(conn, conn->edge->body_ms);
    if (http->body == REQUEST_BODY_LENGTH) {
        size_t take = http->body_left < input.len ? (size_t)http->body_left : input.len;

        http->body_left -= take;
        if (body_add(conn, (struct span){ input.ptr, take }) && http->body_left == 0) {
            body_finish(conn);
        }
        return take;
    }
    while ((r = chunked_read(&http->chunked, &input, &data)) == CHUNKED_E_DATA) {
        if (!body_add(conn, data)) {
            return len;
        }
    }
    if (r == CHUNKED_E_BAD) {
        body_refuse(conn, 400, "The request body is not in the chunked coding.");
        return len;
    }
    if (r == CHUNKED_E_END) {
        body_finish(conn);
    }
    return len - input.len;
}

static size_t on_input(struct conn *conn, uint8_t *data, size_t len)
{
    size_t used = 0;

    while (used < len && conn->ops == &http_ops && conn->phase == CONN_OPEN && !conn->is_killed) {
        struct http *http = conn->state;
        struct span rest = { (const char *)data + used, len - used };
        size_t taken = 0;

        if (http->stage == HTTP_HEAD) {
            taken = head_take(conn, rest);
        } else if (http->stage == HTTP_BODY) {
            taken = body_take(conn, rest);
        }
        if (taken == 0) {
            break;
        }
        used += taken;
    }
    return used;
}

static void on_drained(struct conn *conn)
{
    struct http *http = conn->state;

    if (http->exchange) {
        run_ask_drained(http->exchange);
    } else if (http->file) {
        site_drained(conn);
    }
}

static void on_deadline(struct conn *conn)
{
    struct http *http = conn->state;

    if (http->stage == HTTP_BODY) {
        body_refuse(conn, 408, "Request body timeout");
    } else if (http->scanned) {
        refuse_text(conn, 408);
    } else {
        conn_kill(conn);
    }
}

static size_t held(const struct conn *conn)
{
    const struct http *http = conn->state;

    return http->exchange ? http->exchange->body.len : 0;
}

static void on_overfull(struct conn *conn)
{
    struct http *http = conn->state;

    if (http->exchange) {
        exchange_abandon(TAKE(http->exchange));
    }
    refuse_json(conn, 503, "api_error", "Too much is being sent to this gateway at once. Try again in a moment.");
}

static void on_close(struct conn *conn)
{
    struct http *http = conn->state;
    struct exchange *exchange = http->exchange;

    if (http->file) {
        site_abandon(http->file);
    }
    conn->state = NULL;
    free(http);
    if (exchange) {
        exchange_abandon(exchange);
    }
}

static const struct conn_ops http_ops = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .held = held,
    .on_overfull = on_overfull,
    .on_close = on_close,
};

/* Is a request in hand? */
bool http_is_busy(const struct conn *conn)
{
    const struct http *http = conn->ops == &http_ops ? conn->state : NULL;

    return http && (http->exchange || http->file);
}

void http_attach(struct conn *conn)
{
    conn->ops = &http_ops;
    conn->state = mem_new(sizeof(struct http));
    conn_deadline(conn, edge_head_ms(conn->edge));
}

void http_detach(struct conn *conn)
{
    free(conn->state);
    conn->state = NULL;
}
