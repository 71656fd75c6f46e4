#include "edge/listener/http.h"

#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/http/chunked.h"
#include "edge/listener/completion.h"
#include "edge/listener/edge.h"
#include "edge/listener/scope.h"
#include "edge/listener/ws.h"
#include "schema_gen.h"

enum stage {
    STAGE_HEAD, /* reading a request head, or idle before one */
    STAGE_WAIT, /* auth or an actor has the word */
    STAGE_BODY, /* reading a body */
};

struct http {
    enum stage stage;
    size_t scanned; /* of the head, without its end */
    struct chunked chunked;
    enum request_body body;
    uint64_t body_left;
    bool is_kept_alive; /* of the request in hand */
    bool is_http10;
    struct exchange *exchange;
};

static const struct conn_ops http_ops;

/* --- answers -------------------------------------------------------------------------- */

/* Sends one whole answer and gets ready for the next request, or ends the connection. */
static void answer(struct conn *conn, struct response response)
{
    struct http *http = conn->state;
    struct text_buf *out = conn_out(conn);
    size_t before = out ? out->len : 0;

    response.date = edge_date(conn->edge);
    response.is_closing = !http->is_kept_alive;
    if (!out) {
        return;
    }
    if (response_write(&response, out)) {
        conn_kill(conn);
        return;
    }
    conn_commit(conn, before);
    http->stage = STAGE_HEAD;
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
    answer(conn, response);
}

static void refuse_text(struct conn *conn, int status)
{
    refuse(conn,
           (struct response){ .status = status, .type = RESPONSE_TEXT, .body = span_from(response_reason(status)) });
}

static void refuse_json(struct conn *conn, int status, const char *type, const char *message)
{
    struct openai_error error = { .status = status, .type = type };
    struct text_buf text = { NULL, 0, 0 };

    (void)snprintf(error.message, sizeof(error.message), "%s", message);
    if (openai_error_write(&error, &text)) {
        conn_kill(conn);
    } else {
        refuse(conn, (struct response){ .status = status, .type = RESPONSE_JSON, .body = { text.data, text.len } });
    }
    text_buf_deinit(&text);
}

/* --- exchanges ------------------------------------------------------------------------ */

void http_exchange_destroy(struct exchange *self)
{
    call_unlink(&self->call);
    text_buf_deinit(&self->body);
    if (self->decision.data) {
        mem_wipe(self->decision.data, self->decision.len);
    }
    text_buf_deinit(&self->decision);
    free(self->model);
    if (self->head) {
        mem_wipe(self->head, strlen(self->head));
    }
    free(self->head);
    free(self);
}

/* Takes the exchange off its connection. */
static struct conn *exchange_detach(struct exchange *self)
{
    struct conn *conn = self->call.conn;

    if (conn) {
        struct http *http = conn->state;

        http->exchange = NULL;
        self->call.conn = NULL;
    }
    return conn;
}

void http_exchange_answer(struct exchange *self, int status, struct span json, uint32_t retry_after_s)
{
    struct conn *conn = exchange_detach(self);

    if (conn) {
        struct http *http = conn->state;

        http->is_kept_alive = http->is_kept_alive && http->body == REQUEST_BODY_NONE;
        answer(conn, (struct response){ .status = status,
                                        .type = RESPONSE_JSON,
                                        .body = json,
                                        .is_head = self->request.method == REQUEST_HEAD,
                                        .retry_after_s = retry_after_s });
    }
    http_exchange_destroy(self);
    if (conn) {
        conn_pump(conn);
    }
}

void http_exchange_error(struct exchange *self, const struct openai_error *error, uint32_t retry_after_s)
{
    struct text_buf text = { NULL, 0, 0 };
    struct conn *conn = self->call.conn;

    if (openai_error_write(error, &text) && conn) {
        conn_kill(conn);
    }
    http_exchange_answer(self, error->status, (struct span){ text.data, text.len }, retry_after_s);
    text_buf_deinit(&text);
}

void http_stream_begin(struct exchange *self)
{
    struct conn *conn = self->call.conn;
    struct http *http = conn->state;
    struct text_buf *out = conn_out(conn);
    size_t before = out ? out->len : 0;
    struct response response = { .status = 200,
                                 .type = RESPONSE_SSE,
                                 .cache = "no-cache",
                                 .is_streamed = true,
                                 .is_http10 = http->is_http10,
                                 .is_closing = !http->is_kept_alive || http->is_http10,
                                 .date = edge_date(self->edge) };

    self->has_begun = true;
    if (!out) {
        return;
    }
    if (response_write(&response, out)) {
        conn_kill(conn);
        return;
    }
    conn_commit(conn, before);
}

struct text_buf *http_event_begin(struct exchange *self, size_t *ret_at)
{
    struct conn *conn = self->call.conn;
    struct text_buf *out = conn ? conn_out(conn) : NULL;
    struct http *http = conn ? conn->state : NULL;
    int r;

    if (!out) {
        return NULL;
    }
    *ret_at = out->len;
    r = http->is_http10 ? 0 : text_buf_add(out, SPAN_LIT("00000000\r\n"));
    r = r ? r : text_buf_add(out, SPAN_LIT("data: "));
    if (r) {
        conn_kill(conn);
        return NULL;
    }
    return out;
}

void http_event_end(struct exchange *self, struct text_buf *out, size_t at)
{
    struct conn *conn = self->call.conn;
    struct http *http = conn->state;
    int r = text_buf_add(out, SPAN_LIT("\n\n"));

    if (!r && !http->is_http10) {
        response_chunk_head(out->data + at, out->len - at - RESPONSE_CHUNK_HEAD);
        r = text_buf_add(out, SPAN_LIT("\r\n"));
    }
    if (r) {
        conn_kill(conn);
        return;
    }
    conn_commit(conn, at);
}

void http_stream_end(struct exchange *self, bool is_broken)
{
    struct conn *conn = exchange_detach(self);
    struct http *http = conn ? conn->state : NULL;

    http_exchange_destroy(self);
    if (!conn) {
        return;
    }
    if (!http->is_http10) {
        (void)conn_send(conn, SPAN_LIT("0\r\n\r\n")); /* false: the connection ends anyway */
    }
    http->stage = STAGE_HEAD;
    http->scanned = 0;
    if (is_broken || http->is_http10 || !http->is_kept_alive) {
        conn_finish(conn);
    } else {
        conn_deadline(conn, TIME_KEEP_ALIVE_MS);
        conn_pump(conn);
    }
}

/* --- auth ----------------------------------------------------------------------------- */

static void auth_refused(struct exchange *self, const struct failure *failure)
{
    int64_t status = value_i64(value_get(failure->details, "_httpStatus"), 0);
    uint32_t retry_s = (failure->retry_after_ms + 999) / 1000;
    struct openai_error error = { .status = 401, .type = "unauthorized", .message = "Unauthorized" };

    if (status == 429 || failure->code == FAIL_RATE_LIMITED) {
        error = (struct openai_error){ .status = 429,
                                       .type = "rate_limited",
                                       .message = "Too many failed authentication attempts. Please try again later." };
    } else if (status != 401) {
        error = (struct openai_error){ .status = 503, .type = "api_error" };
        (void)snprintf(error.message, sizeof(error.message), "%.*s", SPAN_FMT(failure->message));
        retry_s = retry_s ? retry_s : 1;
    }
    http_exchange_error(self, &error, retry_s);
}

static void body_begin(struct exchange *self)
{
    struct conn *conn = self->call.conn;
    struct http *http = conn->state;

    if (http->body == REQUEST_BODY_NONE) {
        self->on_body(self);
        return;
    }
    if (self->request.expects_continue) {
        (void)conn_send(conn, SPAN_LIT("HTTP/1.1 100 Continue\r\n\r\n")); /* false: it ends anyway */
    }
    http->stage = STAGE_BODY;
    conn_deadline(conn, TIME_BODY_MS);
    conn_pump(conn);
}

static void on_auth(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    const struct msg_auth_decision *decision = reply->msg;
    struct scope_set scopes;

    (void)state;
    (void)actor;
    self->call.id = 0;
    if (!self->call.conn) {
        http_exchange_destroy(self);
        return;
    }
    if (reply->failure) {
        auth_refused(self, reply->failure);
        return;
    }
    scopes = scope_set_of(decision->role, decision->scopes);
    if (scope_check(&scopes, schema_method_of(MSG_CHAT_SEND)->scope) != SCOPE_ALLOWED) {
        http_exchange_answer(
            self, 403,
            SPAN_LIT("{\"ok\":false,\"error\":{\"type\":\"forbidden\",\"message\":\"missing scope: operator.write\"}}"),
            0);
        return;
    }
    if (text_buf_add(&self->decision, reply->body)) {
        conn_kill(self->call.conn);
        return;
    }
    body_begin(self);
}

static struct span bearer_of(const struct request *request)
{
    struct span value = request_header(request, "authorization");
    struct span scheme = { value.ptr, value.len > 7 ? 7 : 0 };

    if (!request_is_word(scheme, "bearer ")) {
        return (struct span){ NULL, 0 };
    }
    value.ptr += 7;
    value.len -= 7;
    while (value.len > 0 && value.ptr[0] == ' ') {
        value.ptr++;
        value.len--;
    }
    return value;
}

bool http_is_proxied(const struct request *request)
{
    return request_header(request, "x-forwarded-for").len || request_header(request, "forwarded").len ||
           request_header(request, "x-real-ip").len;
}

static int auth_ask(struct exchange *self)
{
    struct conn *conn = self->call.conn;
    const struct request *request = &self->request;
    char remote[PEER_TEXT_MAX];
    struct msg_auth_http in = { .is_loopback = conn->peer->is_loopback, .path = request->path };
    struct actor_call call = { .to = "auth", .msg = MSG_AUTH_HTTP, .in = &in, .on_answer = on_auth, .cookie = self };

    peer_text(conn->peer, remote);
    in.remote = span_from(remote);
    in.origin = request_header(request, "origin");
    in.has_origin = in.origin.len > 0;
    in.host = request_header(request, "host");
    in.has_host = in.host.len > 0;
    in.has_has_proxy_header = true;
    in.has_proxy_header = http_is_proxied(request);
    in.bearer = bearer_of(request);
    in.has_bearer = in.bearer.len > 0;
    return actor_call(self->edge->actor, &call, &self->call.id);
}

/* The head is copied: the answer of auth comes after the bytes it was read from are gone. */
static struct exchange *exchange_new(struct conn *conn, struct span head)
{
    struct exchange *self = calloc(1, sizeof(*self));

    if (!self) {
        return NULL;
    }
    self->edge = conn->edge;
    self->head = malloc(head.len + 1);
    if (!self->head) {
        free(self);
        return NULL;
    }
    memcpy(self->head, head.ptr, head.len);
    self->head[head.len] = '\0';
    if (request_parse((struct span){ self->head, head.len }, &self->request)) {
        http_exchange_destroy(self);
        return NULL;
    }
    self->call.conn = conn;
    return self;
}

static void exchange_begin(struct conn *conn, struct span head, void (*on_body)(struct exchange *))
{
    struct http *http = conn->state;
    struct exchange *self = exchange_new(conn, head);

    if (!self) {
        refuse_text(conn, 503);
        return;
    }
    self->on_body = on_body;
    http->exchange = self;
    http->stage = STAGE_WAIT;
    conn_deadline(conn, 0);
    if (auth_ask(self)) {
        http_exchange_error(self, &(struct openai_error){ .status = 503, .type = "api_error", .message = "Busy." }, 1);
    }
}

/* --- routes --------------------------------------------------------------------------- */

static bool path_is(struct span path, const char *a, const char *b)
{
    return span_is_text(path, a) || (b && span_is_text(path, b));
}

static void not_allowed(struct conn *conn, const char *allow)
{
    refuse(conn, (struct response){
                     .status = 405, .type = RESPONSE_TEXT, .body = SPAN_LIT("Method Not Allowed"), .allow = allow });
}

static void probe_answer(struct conn *conn, const struct request *request, bool is_readiness)
{
    struct edge *edge = conn->edge;
    struct response response = { .status = 200, .type = RESPONSE_JSON, .cache = "no-store" };

    if (request->method != REQUEST_GET && request->method != REQUEST_HEAD) {
        not_allowed(conn, "GET, HEAD");
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
    answer(conn, response);
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

static void completions_route(struct conn *conn, const struct request *request, struct span head)
{
    if (request->method != REQUEST_POST) {
        not_allowed(conn, "POST");
    } else if (!is_json_type(request)) {
        refuse_json(conn, 415, "invalid_request_error", "Content-Type must be application/json.");
    } else if (request->body == REQUEST_BODY_LENGTH && request->body_len > OPENAI_BODY_MAX) {
        refuse_json(conn, 413, "invalid_request_error", "Payload too large");
    } else {
        exchange_begin(conn, head, completion_start);
    }
}

static void v1_route(struct conn *conn, const struct request *request, struct span head)
{
    bool is_on = conn->edge->is_completions_on;

    if (is_on && path_is(request->path, "/v1/chat/completions", NULL)) {
        completions_route(conn, request, head);
    } else if (is_on && (path_is(request->path, "/v1/models", NULL) || span_starts(request->path, "/v1/models/"))) {
        if (request->method != REQUEST_GET) {
            not_allowed(conn, "GET");
        } else if (request->body != REQUEST_BODY_NONE) {
            refuse_text(conn, 400);
        } else {
            exchange_begin(conn, head, completion_models);
        }
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
    } else if (span_starts(request->path, "/v1/")) {
        v1_route(conn, request, head);
    } else {
        answer(conn, (struct response){ .status = 404,
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
    len = request_head_len(input, http->scanned);
    if (len == 0 && input.len < REQUEST_HEAD_MAX) {
        if (http->scanned == 0) {
            conn_deadline(conn, TIME_HEAD_MS);
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
    request_route(conn, &request, (struct span){ input.ptr, len });
    return len;
}

static void body_finish(struct conn *conn)
{
    struct http *http = conn->state;

    http->body = REQUEST_BODY_NONE;
    http->is_kept_alive = http->exchange->request.is_kept_alive && !conn->edge->is_stopping;
    http->stage = STAGE_WAIT;
    conn_deadline(conn, 0);
    http->exchange->on_body(http->exchange);
}

static void body_refuse(struct conn *conn, int status, const char *message)
{
    struct http *http = conn->state;
    struct openai_error error = { .status = status, .type = "invalid_request_error" };

    (void)snprintf(error.message, sizeof(error.message), "%s", message);
    http_exchange_error(http->exchange, &error, 0);
}

static bool body_add(struct conn *conn, struct span data)
{
    struct http *http = conn->state;
    struct text_buf *body = &http->exchange->body;

    if (body->len + data.len > OPENAI_BODY_MAX) {
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

    conn_deadline(conn, TIME_BODY_MS);
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

        if (http->stage == STAGE_HEAD) {
            taken = head_take(conn, rest);
        } else if (http->stage == STAGE_BODY) {
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
        completion_drained(http->exchange);
    }
}

static void on_deadline(struct conn *conn)
{
    struct http *http = conn->state;

    if (http->stage == STAGE_BODY) {
        body_refuse(conn, 408, "Request body timeout");
    } else if (http->scanned) {
        refuse_text(conn, 408);
    } else {
        conn_kill(conn);
    }
}

static void on_close(struct conn *conn)
{
    struct http *http = conn->state;
    struct exchange *exchange = http->exchange;

    conn->state = NULL;
    free(http);
    if (!exchange) {
        return;
    }
    exchange->call.conn = NULL;
    if (!exchange->call.id) {
        http_exchange_destroy(exchange);
        return;
    }
    /* The answer to the cancelled call frees it. */
    call_link(&exchange->call, &conn->edge->orphan_exchanges);
    actor_call_cancel(conn->edge->actor, exchange->call.id);
}

static const struct conn_ops http_ops = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .on_close = on_close,
};

void http_free_orphans(struct edge *edge)
{
    while (edge->orphan_exchanges) {
        http_exchange_destroy(CONTAINER_OF(edge->orphan_exchanges, struct exchange, call));
    }
}

/* Is a request in hand? */
bool http_is_busy(const struct conn *conn)
{
    const struct http *http = conn->ops == &http_ops ? conn->state : NULL;

    return http && http->exchange;
}

void http_attach(struct conn *conn)
{
    conn->ops = &http_ops;
    conn->state = mem_new(sizeof(struct http));
    conn_deadline(conn, TIME_HEAD_MS);
}

void http_detach(struct conn *conn)
{
    free(conn->state);
    conn->state = NULL;
}
