#include "edge/listener/http2.h"

#include <malloc.h>
#include <stdlib.h>

#include "bus/base/mem.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/http1.h"
#include "edge/listener/http2_internal.h"

#define QUEUED_MAX LIMIT_WRITE /* made ahead of the socket */
#define BLOCK_MAX 65536U       /* of decoded fields: larger ones are refused, past this the connection ends */
#define FIELD_EXTRA 32U        /* RFC 9113 §6.5.2 */
#define CONNECTION_WINDOW 4194304

static const struct conn_ops http2_ops;

static struct http2 *http2_of(const struct conn *conn)
{
    return conn->ops == &http2_ops ? conn->state : NULL;
}

bool http2_is_preface(struct span input, bool *ret_is_whole)
{
    static const struct span preface = { NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN };

    *ret_is_whole = input.len >= preface.len;
    return memcmp(input.ptr, preface.ptr, *ret_is_whole ? preface.len : input.len) == 0;
}

/* --- memory of the library: tables of fields hold secrets ------------------------------- */

static void *on_malloc(size_t size, void *arg)
{
    (void)arg;
    return malloc(size);
}

static void *on_calloc(size_t n, size_t size, void *arg)
{
    (void)arg;
    return calloc(n, size);
}

static void on_free(void *ptr, void *arg)
{
    (void)arg;
    if (ptr) {
        mem_wipe(ptr, malloc_usable_size(ptr));
        free(ptr);
    }
}

static void *on_realloc(void *ptr, size_t size, void *arg)
{
    size_t old = ptr ? malloc_usable_size(ptr) : 0;

    (void)arg;
    return ptr && size <= old ? ptr : mem_move_wiped(ptr, old, old, size);
}

/* --- what is not borne ------------------------------------------------------------------ */

/* Says why, and that is the end: nothing is read any more, and nothing done for it. */
static int give_up(struct http2 *self, uint32_t code)
{
    if (self->is_over) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    self->is_over = true;
    self->conn->edge->tally.http2_given_up_n++;
    for (struct http2_stream *stream = self->streams; stream; stream = stream->next) {
        stream->is_broken = true;
        stream->deadline_ms = 0;
        http_abandon(&stream->stream);
    }
    (void)nghttp2_session_terminate_session(self->session, code); /* without memory it ends without a word */
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int spend(struct http2 *self)
{
    return patience_spend(&self->patience, 1, edge_now(self->conn->edge)) ? 0
                                                                          : give_up(self, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* --- reading ---------------------------------------------------------------------------- */

/* Of each frame, as soon as its head is there, those that carry on a block of fields included. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    struct http2 *self = arg;

    (void)session;
    if (self->is_over) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    switch (hd->type) {
    case NGHTTP2_HEADERS:
        self->block_bytes = 0;
        return 0;
    case NGHTTP2_DATA:
        return hd->length || (hd->flags & NGHTTP2_FLAG_END_STREAM) ? 0 : spend(self);
    default:
        return spend(self);
    }
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *self = arg;
    struct http2_stream *stream;
    /* One after the other as they come, none first whatever the client says. */
    static const nghttp2_extpri fair = { .urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1 };

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0;
    }
    if (self->is_leaving || self->is_over) {
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    }
    stream = http2_stream_new(self, frame->hd.stream_id);
    if (!stream) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    stream->deadline_ms = edge_now(self->conn->edge) + edge_head_ms(self->conn->edge);
    self->idle_by_ms = 0;
    (void)nghttp2_session_set_stream_user_data(session, stream->id, stream); /* it is there, so neither fails */
    (void)nghttp2_session_change_extpri_stream_priority(session, stream->id, &fair, 1);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct http2 *self = arg;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    self->block_bytes += name_len + value_len + FIELD_EXTRA;
    if (self->block_bytes > BLOCK_MAX) {
        return give_up(self, NGHTTP2_ENHANCE_YOUR_CALM); /* so much can be made of very few bytes */
    }
    if (!stream || stream->is_asked) {
        return 0; /* refused; or trailers, which say nothing to us */
    }
    if (http2_head_add(&stream->head, (struct span){ (const char *)name, name_len },
                       (struct span){ (const char *)value, value_len })) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return 0;
}

static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                             const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    (void)arg;
    if (stream) {
        stream->head.is_bad = true; /* answered like any other that cannot be */
    }
    return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    (void)arg;
    if (!stream || stream->is_broken || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)) {
        return 0;
    }
    if (!stream->is_asked) {
        stream->is_all_there = is_end;
        http2_stream_ask(stream);
    } else if (is_end) {
        http2_stream_body_end(stream);
    }
    return 0;
}

/* A frame that breaks the rules, for which nghttp2 ends its stream, or the connection. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
    (void)session;
    (void)frame;
    (void)error;
    return spend(arg);
}

/* The room of the connection is given back at once: what one stream holds is bounded by its own. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    (void)arg;
    if (nghttp2_session_consume_connection(session, len)) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (stream) {
        http2_stream_body(stream, (struct span){ (const char *)data, len });
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    struct http2 *self = arg;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    if (!stream) {
        return 0;
    }
    (void)nghttp2_session_set_stream_user_data(session, id, NULL); /* it is there */
    http2_stream_destroy(stream);
    if (self->streams_n == 0) {
        self->idle_by_ms = edge_now(self->conn->edge) + TIME_KEEP_ALIVE_MS;
    }
    if (code != NGHTTP2_NO_ERROR) {
        /* Work that was begun for nothing, whoever made the other give it up (CVE-2023-44487, CVE-2025-8671). */
        (void)spend(self); /* the next frame finds it over */
    }
    return 0;
}

/* --- writing ---------------------------------------------------------------------------- */

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *self = arg;
    int32_t id = frame->hd.stream_id;

    if (frame->hd.type == NGHTTP2_DATA) {
        patience_earn(&self->patience, 2); /* for the two words that room was made */
    }
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && nghttp2_session_get_stream_remote_close(session, id) == 0) {
        /* The answer does not wait for the rest of the request, and nobody has to send it (RFC 9113 §8.1). */
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    }
    return 0;
}

static void frames_make(struct http2 *self)
{
    struct conn *conn = self->conn;

    self->is_full = false;
    while (!conn->is_killed) {
        const uint8_t *data;
        ssize_t len;

        if (conn_pending(conn) >= QUEUED_MAX) {
            self->is_full = true;
            return;
        }
        len = nghttp2_session_mem_send(self->session, &data);
        if (len < 0) {
            conn_kill(conn);
        } else if (len == 0 || !conn_send(conn, (struct span){ (const char *)data, (size_t)len })) {
            return;
        }
    }
}

/* Who had room again says more. */
static void drained_tell(struct http2 *self)
{
    struct http2_stream *next;

    for (struct http2_stream *stream = self->streams; stream; stream = next) {
        next = stream->next;
        if (stream->is_drained) {
            stream->is_drained = false;
            http_drained(&stream->stream);
        }
    }
}

static void deadline_follow(struct http2 *self)
{
    uint64_t first = UINT64_MAX;

    for (const struct http2_stream *stream = self->streams; stream; stream = stream->next) {
        first = stream->deadline_ms && stream->deadline_ms < first ? stream->deadline_ms : first;
    }
    first = self->idle_by_ms && self->idle_by_ms < first ? self->idle_by_ms : first;
    self->conn->deadline_ms = first == UINT64_MAX ? 0 : first;
}

/* Is all said, and nothing to come? */
static bool is_done(const struct http2 *self)
{
    if (self->is_full || nghttp2_session_want_write(self->session)) {
        return false;
    }
    return self->is_over || (self->is_leaving && self->streams_n == 0) || !nghttp2_session_want_read(self->session);
}

static void on_fill(struct conn *conn)
{
    struct http2 *self = conn->state;

    frames_make(self);
    drained_tell(self);
    deadline_follow(self);
    if (!conn->is_killed && is_done(self)) {
        conn_finish(conn);
    }
}

static void on_drained(struct conn *conn)
{
    if (http2_of(conn)->is_full) {
        conn_wake(conn);
    }
}

/* --- the connection --------------------------------------------------------------------- */

static size_t on_input(struct conn *conn, uint8_t *data, size_t len)
{
    struct http2 *self = conn->state;
    ssize_t r = self->is_over ? 0 : nghttp2_session_mem_recv(self->session, data, len);

    if (r < 0 && !self->is_over) {
        /* No HTTP/2, or so many frames of one kind that the library itself has enough. */
        (void)give_up(self, r == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
    }
    conn_wake(conn);
    return len;
}

static void on_deadline(struct conn *conn)
{
    struct http2 *self = conn->state;
    uint64_t now = edge_now(conn->edge);
    struct http2_stream *next;

    for (struct http2_stream *stream = self->streams; stream; stream = next) {
        next = stream->next;
        if (stream->deadline_ms && now >= stream->deadline_ms && !stream->is_asked) {
            (void)give_up(self, NGHTTP2_ENHANCE_YOUR_CALM); /* in the middle of its head no other can be read */
        } else if (stream->deadline_ms && now >= stream->deadline_ms) {
            http2_stream_late(stream);
        }
    }
    if (self->idle_by_ms && now >= self->idle_by_ms) {
        self->idle_by_ms = 0;
        (void)http2_leave(conn);
    }
    conn_wake(conn);
}

static size_t held(const struct conn *conn)
{
    const struct http2 *self = conn->state;
    size_t sum = 0;

    for (const struct http2_stream *stream = self->streams; stream; stream = stream->next) {
        sum += http2_stream_held(stream);
    }
    return sum;
}

/* The one that has begun to send most is told; the others go on. */
static void on_overfull(struct conn *conn)
{
    struct http2 *self = conn->state;
    struct http2_stream *most = self->streams;

    for (struct http2_stream *stream = most; stream; stream = stream->next) {
        most = http2_stream_held(stream) > http2_stream_held(most) ? stream : most;
    }
    if (most && most->is_asked && !most->is_begun) {
        http_overfull(&most->stream);
    } else if (most) {
        http2_stream_reset(most, NGHTTP2_ENHANCE_YOUR_CALM);
    }
}

/* The same for what the client does not read. */
static bool on_unread(struct conn *conn)
{
    struct http2 *self = conn->state;
    struct http2_stream *most = self->streams;

    for (struct http2_stream *stream = most; stream; stream = stream->next) {
        most = stream->out_cost > most->out_cost ? stream : most;
    }
    if (!most || most->out_cost == 0) {
        return false;
    }
    http2_stream_reset(most, NGHTTP2_ENHANCE_YOUR_CALM);
    return true;
}

static void on_close(struct conn *conn)
{
    struct http2 *self = conn->state;

    conn->state = NULL;
    while (self->streams) {
        http2_stream_destroy(self->streams);
    }
    nghttp2_session_del(self->session);
    free(self);
}

static const struct conn_ops http2_ops = {
    .on_input = on_input,
    .fill = on_fill,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .held = held,
    .on_overfull = on_overfull,
    .on_unread = on_unread,
    .on_close = on_close,
};

bool http2_leave(struct conn *conn)
{
    struct http2 *self = http2_of(conn);

    if (!self) {
        return false;
    }
    if (!self->is_leaving && !self->is_over) {
        self->is_leaving = true;
        if (nghttp2_submit_goaway(self->session, NGHTTP2_FLAG_NONE,
                                  nghttp2_session_get_last_proc_stream_id(self->session), NGHTTP2_NO_ERROR, NULL, 0)) {
            conn_kill(conn);
        }
        conn_wake(conn);
    }
    return true;
}

void http2_give_up(struct conn *conn)
{
    const struct http2 *self = http2_of(conn);

    for (struct http2_stream *stream = self ? self->streams : NULL; stream; stream = stream->next) {
        if (stream->stream.exchange) {
            exchange_give_up(stream->stream.exchange);
        }
    }
}

/* --- the beginning ------------------------------------------------------------------------ */

static int callbacks_new(nghttp2_session_callbacks **ret)
{
    nghttp2_session_callbacks *callbacks;
    int r = nghttp2_session_callbacks_new(&callbacks);

    if (r) {
        return r;
    }
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    *ret = callbacks;
    return 0;
}

static int session_new(struct http2 *self)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_mem memory = { .malloc = on_malloc, .free = on_free, .calloc = on_calloc, .realloc = on_realloc };
    int r = callbacks_new(&callbacks);

    r = r ? r : nghttp2_option_new(&option);
    if (!r) {
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1); /* nothing depends on those that are over */
        r = nghttp2_session_server_new3(&self->session, callbacks, self, option, &memory);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return r;
}

static int greet(const struct http2 *self)
{
    static const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, LIMIT_STREAMS },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, REQUEST_HEAD_MAX },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
    };
    int r = nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));

    return r ? r : nghttp2_session_set_local_window_size(self->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

void http2_attach(struct conn *conn)
{
    struct http2 *self = mem_new(sizeof(*self));

    self->conn = conn;
    if (session_new(self)) {
        free(self);
        conn_kill(conn);
        return;
    }
    http1_detach(conn);
    conn->ops = &http2_ops;
    conn->state = self;
    conn->edge->tally.http2_connections_n++;
    self->idle_by_ms = edge_now(conn->edge) + edge_head_ms(conn->edge);
    if (greet(self)) {
        conn_kill(conn);
    }
    conn_wake(conn);
}
