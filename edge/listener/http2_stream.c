/*
 * One request of a connection of HTTP/2: how it is read, and how it is answered.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/http2_internal.h"

#define FIELDS_MAX 32U
#define BODY_WINDOW 1048576 /* of a body that is wanted; before that it is that of the standard */
#define OUT_KEPT 16384U     /* of a buffer that is empty */

static const struct stream_ops stream_ops;

static struct http2_stream *self_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct http2_stream, stream);
}

/* --- life ----------------------------------------------------------------------------- */

struct http2_stream *http2_stream_new(struct http2 *http2, int32_t id)
{
    struct http2_stream *self = calloc(1, sizeof(*self));

    if (!self) {
        return NULL;
    }
    self->stream.ops = &stream_ops;
    self->stream.conn = http2->conn;
    self->http2 = http2;
    self->id = id;
    self->next = http2->streams;
    if (self->next) {
        self->next->prev = self;
    }
    http2->streams = self;
    http2->streams_n++;
    return self;
}

/* What waits for the reader counts with the connection. */
static void out_note(struct http2_stream *self)
{
    conn_ahead(self->http2->conn, self->out_cost, self->out.cap);
    self->out_cost = self->out.cap;
}

static void out_drop(struct http2_stream *self)
{
    text_buf_deinit(&self->out);
    self->out = (struct text_buf){ 0 };
    self->out_ready = 0;
    self->out_sent = 0;
    out_note(self);
}

static void early_drop(struct http2_stream *self)
{
    text_buf_deinit(&self->early);
    self->early = (struct text_buf){ 0 };
}

void http2_stream_destroy(struct http2_stream *self)
{
    struct http2 *http2 = self->http2;

    self->is_broken = true; /* nothing more is said from here on */
    http_abandon(&self->stream);
    out_drop(self);
    early_drop(self);
    http2_head_deinit(&self->head);
    *(self->prev ? &self->prev->next : &http2->streams) = self->next;
    if (self->next) {
        self->next->prev = self->prev;
    }
    http2->streams_n--;
    free(self);
}

void http2_stream_reset(struct http2_stream *self, uint32_t code)
{
    if (self->is_broken) {
        return;
    }
    self->is_broken = true;
    self->deadline_ms = 0;
    out_drop(self);
    early_drop(self);
    http2_head_deinit(&self->head);
    if (nghttp2_submit_rst_stream(self->http2->session, NGHTTP2_FLAG_NONE, self->id, code)) {
        conn_kill(self->http2->conn); /* no memory */
    }
    conn_wake(self->http2->conn);
}

/* --- answering ------------------------------------------------------------------------ */

static void deadline_set(struct http2_stream *self, uint64_t after_ms)
{
    self->deadline_ms = after_ms ? edge_now(self->http2->conn->edge) + after_ms : 0;
    conn_wake(self->http2->conn); /* which looks at all of them */
}

static bool on_is_open(struct stream *stream)
{
    const struct http2_stream *self = self_of(stream);

    return !self->is_broken && stream->conn->phase == CONN_OPEN && !stream->conn->is_killed;
}

/* The next bytes of the answer, for a frame. */
static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct http2_stream *self = source->ptr;
    size_t left = self->out_ready - self->out_sent;
    size_t len = left < cap ? left : cap;

    (void)session;
    (void)id;
    (void)arg;
    if (len == 0 && !self->is_ended) {
        return NGHTTP2_ERR_DEFERRED;
    }
    if (len > 0) {
        memcpy(buf, self->out.data + self->out_sent, len);
        self->out_sent += len;
        self->deadline_ms = edge_now(self->http2->conn->edge) + TIME_STALL_MS;
    }
    if (len == left) {
        self->is_drained = len > 0;
        self->deadline_ms = 0;
        *flags |= self->is_ended ? (uint32_t)NGHTTP2_DATA_FLAG_EOF : 0U;
        self->out.len = 0;
        self->out_ready = 0;
        self->out_sent = 0;
        if (self->out.cap > OUT_KEPT || self->is_ended) {
            out_drop(self);
        }
    }
    return (ssize_t)len;
}

/* Splits lines into fields, whose names become lower case; `nv` has room for FIELDS_MAX. */
static size_t fields_split(struct text_buf *lines, nghttp2_nv *nv)
{
    char *at = lines->data;
    char *end = at + lines->len;
    size_t n = 0;

    while (at < end && n < FIELDS_MAX) {
        char *colon = memchr(at, ':', (size_t)(end - at));
        char *stop = colon ? memchr(colon, '\r', (size_t)(end - colon)) : NULL;

        if (!stop) {
            break;
        }
        for (char *c = at; c < colon; c++) {
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
        }
        nv[n++] = (nghttp2_nv){ .name = (uint8_t *)at,
                                .value = (uint8_t *)colon + 2,
                                .namelen = (size_t)(colon - at),
                                .valuelen = (size_t)(stop - colon) - 2 };
        at = stop + 2;
    }
    return n;
}

static int head_submit(struct http2_stream *self, const struct response *response, bool has_body)
{
    static const uint8_t name[] = ":status";
    nghttp2_data_provider body = { .source = { .ptr = self }, .read_callback = on_read };
    nghttp2_nv nv[FIELDS_MAX + 1];
    struct text_buf lines = { 0 };
    char status[8];
    int r = response_fields(response, &lines);

    (void)snprintf(status, sizeof(status), "%d", response->status); /* three digits */
    nv[0] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name, .value = (uint8_t *)status, .namelen = sizeof(name) - 1, .valuelen = 3
    };
    if (!r) {
        size_t n = 1 + fields_split(&lines, nv + 1);

        r = nghttp2_submit_response(self->http2->session, self->id, nv, n, has_body ? &body : NULL);
    }
    text_buf_deinit(&lines);
    return r;
}

static bool on_begin(struct stream *stream, struct response *response, bool is_followed)
{
    struct http2_stream *self = self_of(stream);
    bool has_body = !self->is_head_method && (is_followed || (!response->is_head && response->body.len > 0));

    if (!on_is_open(stream) || self->is_begun) {
        return false;
    }
    self->is_begun = true;
    self->is_body_wanted = false;
    early_drop(self);
    if ((has_body && !is_followed && text_buf_add(&self->out, response->body)) ||
        head_submit(self, response, has_body)) {
        http2_stream_reset(self, NGHTTP2_INTERNAL_ERROR);
        return false;
    }
    self->out_ready = self->out.len;
    out_note(self);
    deadline_set(self, self->out_ready ? TIME_STALL_MS : 0);
    return true;
}

static struct text_buf *on_open(struct stream *stream, size_t *ret_at)
{
    struct http2_stream *self = self_of(stream);

    if (!on_is_open(stream) || !self->is_begun || self->is_ended) {
        return NULL;
    }
    *ret_at = self->out.len;
    return &self->out;
}

static void on_commit(struct stream *stream, struct text_buf *out, size_t at)
{
    struct http2_stream *self = self_of(stream);
    bool was_empty = self->out_ready == self->out_sent;

    (void)at;
    self->out_ready = out->len;
    out_note(self);
    (void)nghttp2_session_resume_data(self->http2->session, self->id); /* fails when it did not wait for any */
    if (was_empty) {
        deadline_set(self, TIME_STALL_MS);
    }
    conn_wake(stream->conn);
}

static void on_end(struct stream *stream)
{
    struct http2_stream *self = self_of(stream);

    self->is_ended = true;
    (void)nghttp2_session_resume_data(self->http2->session, self->id); /* the same; or there is no body */
    conn_wake(stream->conn);
}

static void on_break(struct stream *stream)
{
    http2_stream_reset(self_of(stream), NGHTTP2_INTERNAL_ERROR);
}

/* --- asking ----------------------------------------------------------------------------- */

static void on_wait(struct stream *stream)
{
    struct http2_stream *self = self_of(stream);

    self->is_body_wanted = false;
    deadline_set(self, 0);
}

static void continue_send(const struct http2_stream *self)
{
    static const uint8_t name[] = ":status";
    static const uint8_t value[] = "100";
    nghttp2_nv nv = { .name = (uint8_t *)(uintptr_t)name,
                      .value = (uint8_t *)(uintptr_t)value,
                      .namelen = sizeof(name) - 1,
                      .valuelen = sizeof(value) - 1 };

    /* Without it the client sends the body after a while all the same. */
    (void)nghttp2_submit_headers(self->http2->session, NGHTTP2_FLAG_NONE, self->id, NULL, &nv, 1, NULL);
}

/* What came early is taken, and room is made for the rest. */
static void on_body_want(struct stream *stream, bool expects_continue)
{
    struct http2_stream *self = self_of(stream);
    struct text_buf early = self->early;
    bool is_fine;

    self->early = (struct text_buf){ 0 };
    self->is_body_wanted = true;
    deadline_set(self, stream->conn->edge->body_ms);
    is_fine = early.len == 0 || exchange_body_add(stream->exchange, (struct span){ early.data, early.len });
    if (is_fine && self->is_all_there) {
        exchange_body_end(stream->exchange);
    } else if (is_fine) {
        if (expects_continue && early.len == 0) {
            continue_send(self);
        }
        (void)nghttp2_session_consume_stream(self->http2->session, self->id, early.len);
        (void)nghttp2_session_set_local_window_size(self->http2->session, NGHTTP2_FLAG_NONE, self->id, BODY_WINDOW);
    }
    text_buf_deinit(&early);
}

static void on_resume(struct stream *stream)
{
    (void)stream; /* the others never stopped */
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

static void refuse(struct http2_stream *self, int r)
{
    if (r < 0) {
        http2_stream_reset(self, NGHTTP2_INTERNAL_ERROR); /* no memory */
    } else {
        http_refuse_status(&self->stream, r == REQUEST_E_LARGE ? 431 : 400);
    }
}

void http2_stream_ask(struct http2_stream *self)
{
    struct stream *stream = &self->stream;
    struct text_buf text = { .is_secret = true };
    struct request request = { .method = REQUEST_OTHER };
    int r = http2_head_end(&self->head, !self->is_all_there, &text);

    http2_head_deinit(&self->head);
    self->is_asked = true;
    self->deadline_ms = 0;
    stream->asked_ns = clock_mono_ns();
    r = r ? r : request_parse((struct span){ text.data, text.len }, &request);
    if (!r && self->is_all_there && request.body != REQUEST_BODY_NONE) {
        r = REQUEST_E_BAD; /* it announced a body, and ended without one */
    }
    if (r) {
        refuse(self, r);
    } else {
        self->is_head_method = request.method == REQUEST_HEAD;
        stream->body = request.body;
        stream->route = tally_route_of(request.path);
        http_route(stream, &request, (struct span){ text.data, text.len });
    }
    text_buf_deinit(&text);
}

/* --- the body --------------------------------------------------------------------------- */

void http2_stream_body(struct http2_stream *self, struct span data)
{
    if (self->is_broken || self->is_begun) {
        return; /* nobody wants it any more */
    }
    if (!self->is_body_wanted) {
        self->early.is_secret = true;
        if (text_buf_add(&self->early, data)) {
            http2_stream_reset(self, NGHTTP2_INTERNAL_ERROR);
        }
        return;
    }
    deadline_set(self, self->http2->conn->edge->body_ms);
    if (exchange_body_add(self->stream.exchange, data)) {
        (void)nghttp2_session_consume_stream(self->http2->session, self->id, data.len);
    }
}

void http2_stream_body_end(struct http2_stream *self)
{
    self->is_all_there = true;
    if (self->is_body_wanted && !self->is_broken) {
        exchange_body_end(self->stream.exchange);
    }
}

void http2_stream_late(struct http2_stream *self)
{
    self->deadline_ms = 0;
    if (self->is_body_wanted) {
        exchange_body_refuse(self->stream.exchange, 408, "Request body timeout");
    } else {
        http2_stream_reset(self, NGHTTP2_CANCEL); /* it does not take its answer */
    }
}

size_t http2_stream_held(const struct http2_stream *self)
{
    const struct exchange *exchange = self->stream.exchange;

    return self->head.text.len + self->head.cookie.len + self->early.len + (exchange ? exchange->body.len : 0);
}
