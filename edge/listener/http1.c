#include "edge/listener/http1.h"

#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "edge/http/chunked.h"
#include "edge/listener/canvas.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/http2.h"
#include "edge/listener/ws.h"

enum http1_stage {
    HTTP1_HEAD, /* reading a request head, or idle before one */
    HTTP1_WAIT, /* auth or an actor has the word */
    HTTP1_BODY, /* reading a body */
};

/* The state of conn_ops. */
struct http1 {
    struct stream stream; /* the request in hand */
    enum http1_stage stage;
    size_t scanned; /* of the head, without its end */
    struct chunked chunked;
    uint64_t body_left;
    bool is_http10;
    bool was_asked;  /* something, before the request in hand */
    bool is_chunked; /* the answer that is being sent */
};

static const struct conn_ops http1_ops;

static struct http1 *http1_of(const struct stream *stream)
{
    return stream->conn->state;
}

/* --- writing -------------------------------------------------------------------------- */

static bool on_begin(struct stream *stream, struct response *response, bool is_followed)
{
    struct http1 *self = http1_of(stream);
    struct conn *conn = stream->conn;
    struct text_buf *out = conn_out(conn);
    size_t before = out ? out->len : 0;

    if (!out) {
        return false;
    }
    conn->is_streaming = is_followed;
    self->is_chunked = response->is_streamed && !self->is_http10;
    stream->is_kept_alive = stream->is_kept_alive && !(response->is_streamed && self->is_http10);
    response->is_http10 = self->is_http10;
    response->is_closing = !stream->is_kept_alive;
    if (response_write(response, out)) {
        conn_kill(conn);
        return false;
    }
    conn_commit(conn, before);
    return true;
}

static struct text_buf *on_open(struct stream *stream, size_t *ret_at)
{
    struct text_buf *out = conn_out(stream->conn);

    if (!out) {
        return NULL;
    }
    *ret_at = out->len;
    if (http1_of(stream)->is_chunked && text_buf_add(out, SPAN_LIT("00000000\r\n"))) {
        conn_kill(stream->conn);
        return NULL;
    }
    return out;
}

static void on_commit(struct stream *stream, struct text_buf *out, size_t at)
{
    if (http1_of(stream)->is_chunked) {
        response_chunk_head(out->data + at, out->len - at - RESPONSE_CHUNK_HEAD);
        if (text_buf_add(out, SPAN_LIT("\r\n"))) {
            conn_kill(stream->conn);
            return;
        }
    }
    conn_commit(stream->conn, at);
}

/* Gets ready for the next request, or ends the connection. */
static void on_end(struct stream *stream)
{
    struct http1 *self = http1_of(stream);
    struct conn *conn = stream->conn;

    if (self->is_chunked) {
        (void)conn_send(conn, SPAN_LIT("0\r\n\r\n")); /* false: the connection ends anyway */
        self->is_chunked = false;
    }
    conn->is_streaming = false;
    self->stage = HTTP1_HEAD;
    self->scanned = 0;
    if (stream->is_kept_alive) {
        conn_deadline(conn, TIME_KEEP_ALIVE_MS);
    } else {
        conn_finish(conn);
    }
}

static void on_break(struct stream *stream)
{
    conn_kill(stream->conn);
}

static bool on_is_open(struct stream *stream)
{
    return stream->conn->phase == CONN_OPEN && !stream->conn->is_killed;
}

/* --- reading -------------------------------------------------------------------------- */

static void on_wait(struct stream *stream)
{
    http1_of(stream)->stage = HTTP1_WAIT;
    conn_deadline(stream->conn, 0);
}

static void on_body_want(struct stream *stream, bool expects_continue)
{
    struct conn *conn = stream->conn;

    if (expects_continue) {
        (void)conn_send(conn, SPAN_LIT("HTTP/1.1 100 Continue\r\n\r\n")); /* false: it ends anyway */
    }
    http1_of(stream)->stage = HTTP1_BODY;
    conn_deadline(conn, conn->edge->body_ms);
    conn_pump(conn);
}

static void on_resume(struct stream *stream)
{
    conn_pump(stream->conn);
}

static const struct stream_ops stream_ops = {
    .begin = on_begin,
    .open = on_open,
    .commit = on_commit,
    .end = on_end,
    .break_off = on_break,
    .wait = on_wait,
    .body_want = on_body_want,
    .resume = on_resume,
    .is_open = on_is_open,
};

static const int refusals[] = {
    [REQUEST_E_BAD] = 400, [REQUEST_E_LARGE] = 431, [REQUEST_E_VERSION] = 505, [REQUEST_E_ENCODING] = 501
};

static void request_begin(struct conn *conn, const struct request *request, struct span head)
{
    struct http1 *self = conn->state;
    struct stream *stream = &self->stream;

    self->was_asked = true;
    self->is_http10 = request->is_http10;
    self->body_left = request->body_len;
    self->chunked = (struct chunked){ 0 };
    stream->is_kept_alive = request->is_kept_alive && request->body == REQUEST_BODY_NONE && !conn->edge->is_stopping;
    stream->body = request->body;
    stream->asked_ns = clock_mono_ns();
    stream->route = request->is_upgrade ? TALLY_ROUTE_WEBSOCKET : tally_route_of(request->path);
    if (request->is_upgrade) {
        if (!canvas_serve(stream, request, head)) {
            ws_upgrade(conn, request);
        }
    } else {
        http_route(stream, request, head);
    }
}

/* Takes one request head off the input; 0 when it is not complete. */
static size_t head_take(struct conn *conn, struct span input)
{
    struct http1 *self = conn->state;
    struct request request;
    bool is_http2;
    bool may_be_http2 = !self->was_asked && http2_is_preface(input, &is_http2);
    size_t len;
    int r;

    if (may_be_http2 && is_http2) {
        http2_attach(conn); /* self is gone from here on */
        return 0;
    }
    if (input.ptr[0] == '\r' || input.ptr[0] == '\n') {
        return 1; /* RFC 9112 §2.2: empty lines before a request are ignored */
    }
    if ((uint8_t)input.ptr[0] < ' ') {
        http_refuse_status(&self->stream, 400); /* TLS, most likely: its client shall not wait for more */
        return input.len;
    }
    len = may_be_http2 ? 0 : request_head_len(input, self->scanned);
    if (len == 0 && input.len < REQUEST_HEAD_MAX) {
        if (self->scanned == 0) {
            conn_deadline(conn, edge_head_ms(conn->edge));
        }
        self->scanned = input.len;
        return 0;
    }
    self->scanned = 0;
    r = len ? request_parse((struct span){ input.ptr, len }, &request) : REQUEST_E_LARGE;
    if (r) {
        http_refuse_status(&self->stream, refusals[r]);
        return input.len;
    }
    request_begin(conn, &request, (struct span){ input.ptr, len });
    return len;
}

static size_t body_take_length(struct http1 *self, struct span input)
{
    struct exchange *exchange = self->stream.exchange;
    size_t take = self->body_left < input.len ? (size_t)self->body_left : input.len;

    self->body_left -= take;
    if (exchange_body_add(exchange, (struct span){ input.ptr, take }) && self->body_left == 0) {
        exchange_body_end(exchange);
    }
    return take;
}

static size_t body_take_chunked(struct http1 *self, struct span input)
{
    struct exchange *exchange = self->stream.exchange;
    size_t len = input.len;
    struct span data;
    int r;

    while ((r = chunked_read(&self->chunked, &input, &data)) == CHUNKED_E_DATA) {
        if (!exchange_body_add(exchange, data)) {
            return len;
        }
    }
    if (r == CHUNKED_E_BAD) {
        exchange_body_refuse(exchange, 400, "The request body is not in the chunked coding.");
        return len;
    }
    if (r == CHUNKED_E_END) {
        exchange_body_end(exchange);
    }
    return len - input.len;
}

static size_t body_take(struct conn *conn, struct span input)
{
    struct http1 *self = conn->state;

    conn_deadline(conn, conn->edge->body_ms);
    return self->stream.body == REQUEST_BODY_LENGTH ? body_take_length(self, input) : body_take_chunked(self, input);
}

static size_t on_input(struct conn *conn, uint8_t *data, size_t len)
{
    size_t used = 0;

    while (used < len && conn->ops == &http1_ops && conn->phase == CONN_OPEN && !conn->is_killed) {
        struct http1 *self = conn->state;
        struct span rest = { (const char *)data + used, len - used };
        size_t taken = 0;

        if (self->stage == HTTP1_HEAD) {
            taken = head_take(conn, rest);
        } else if (self->stage == HTTP1_BODY) {
            taken = body_take(conn, rest);
        }
        if (taken == 0) {
            break;
        }
        used += taken;
    }
    return used;
}

/* --- the connection ------------------------------------------------------------------- */

static void on_drained(struct conn *conn)
{
    http_drained(http1_stream(conn));
}

static void on_deadline(struct conn *conn)
{
    struct http1 *self = conn->state;

    if (self->stage == HTTP1_BODY) {
        exchange_body_refuse(self->stream.exchange, 408, "Request body timeout");
    } else if (self->scanned) {
        http_refuse_status(&self->stream, 408);
    } else {
        conn_kill(conn);
    }
}

static size_t held(const struct conn *conn)
{
    const struct http1 *self = conn->state;

    return self->stream.exchange ? self->stream.exchange->body.len : 0;
}

static void on_overfull(struct conn *conn)
{
    http_overfull(http1_stream(conn));
}

static void on_close(struct conn *conn)
{
    struct http1 *self = conn->state;

    conn->state = NULL;
    http_abandon(&self->stream);
    free(self);
}

static const struct conn_ops http1_ops = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .held = held,
    .on_overfull = on_overfull,
    .on_close = on_close,
};

struct stream *http1_stream(struct conn *conn)
{
    return &((struct http1 *)conn->state)->stream;
}

/* Whose connection we have taken is owed an answer; one that is kept for further requests may end between two of them
 * (RFC 9112 §9.5). */
bool http1_leave(struct conn *conn)
{
    const struct http1 *self = conn->ops == &http1_ops ? conn->state : NULL;

    if (!self || stream_is_busy(&self->stream)) {
        return self != NULL;
    }
    if (!self->was_asked) {
        conn_deadline(conn, TIME_FIRST_WORD_MS);
    }
    return !self->was_asked;
}

void http1_give_up(struct conn *conn)
{
    const struct http1 *self = conn->ops == &http1_ops ? conn->state : NULL;

    if (self && self->stream.exchange) {
        exchange_give_up(self->stream.exchange);
    }
}

void http1_attach(struct conn *conn)
{
    struct http1 *self = mem_new(sizeof(*self));

    self->stream.ops = &stream_ops;
    self->stream.conn = conn;
    conn->ops = &http1_ops;
    conn->state = self;
    conn_deadline(conn, edge_head_ms(conn->edge));
}

void http1_detach(struct conn *conn)
{
    free(conn->state);
    conn->state = NULL;
}
