#include "actors/otel/feed.h"

#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/frame.h"
#include "bus/value.h"

#define BATCHES_WAITING 1024
#define RECORD_DEPTH 8

/* The tap lasts as long as this connection. */
struct feed_line {
    struct feed *feed; /* NULL: nobody waits any more */
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    char request[640];
    char bytes[1024];
};

void feed_init(struct feed *self, uv_loop_t *loop, feed_on_envelope on, void *arg)
{
    *self = (struct feed){ .loop = loop, .on = on, .arg = arg };
}

bool feed_is_open(const struct feed *self)
{
    return self->line != NULL;
}

/* --- records -------------------------------------------------------------------------------- */

/* [ts_us, header, body_bytes, body, note, …]; see bus/tap.h. */
static void record_take(struct feed *self, struct span record)
{
    struct value_iter it = value_iter(record);
    struct span none;
    struct span items[5];
    struct value_head head;
    struct envelope env;

    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        if (!value_next(&it, &none, &items[i])) {
            return;
        }
    }
    struct span cursor = items[1];
    if (value_read(&cursor, &head) && head.kind == VALUE_BIN && envelope_decode(head.bytes, &env)) {
        self->on(self->arg, &env, (uint64_t)value_i64(items[2], 0), value_i64(items[0], 0),
                 value_kind_of(items[4]) == VALUE_STR);
    }
}

static void batch_take(struct feed *self, struct span batch)
{
    struct value_iter it = value_iter(batch);
    struct span none;
    struct span item;

    if (!wire_check(batch.ptr, batch.len, RECORD_DEPTH)) {
        return; /* of another version */
    }
    for (size_t i = 0; value_next(&it, &none, &item); i++) {
        if (i > 0) {
            record_take(self, item);
        }
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct feed *self = poll->data;
    void *socket = self ? zsock_resolve(self->pull) : NULL;
    zmq_msg_t msg;

    (void)status;
    (void)events;
    (void)zmq_msg_init(&msg); /* cannot fail */
    /* The descriptor tells of changes alone, so all that is there is taken; senders have a budget. */
    while (socket && frame_receive(&msg, socket)) {
        batch_take(self, (struct span){ zmq_msg_data(&msg), zmq_msg_size(&msg) });
    }
    frame_close(&msg);
}

/* --- the control socket ------------------------------------------------------------------------ */

static void on_line_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void line_close(struct feed_line *line)
{
    if (line->feed) {
        line->feed->line = NULL;
        line->feed = NULL;
        uv_close((uv_handle_t *)&line->pipe, on_line_closed);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct feed_line *line = handle->data;

    (void)suggested;
    *buf = uv_buf_init(line->bytes, sizeof(line->bytes));
}

/* A refusal, or the end: whoever owns the feed opens it again. */
static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct feed_line *line = stream->data;

    if (len < 0 || (len > 0 && memmem(buf->base, (size_t)len, "\"ok\":false", 10))) {
        line_close(line);
    }
}

static void on_written(uv_write_t *write, int status)
{
    if (status) {
        line_close(write->data);
    }
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct feed_line *line = connect->data;
    uv_buf_t buf = uv_buf_init(line->request, (unsigned)strlen(line->request));

    if (!line->feed) {
        return;
    }
    status = status ? status : uv_write(&line->write, (uv_stream_t *)&line->pipe, &buf, 1, on_written);
    status = status ? status : uv_read_start((uv_stream_t *)&line->pipe, on_alloc, on_read);
    if (status) {
        line_close(line);
    }
}

static int line_open(struct feed *self)
{
    struct feed_line *line = mem_new(sizeof(*line));
    int r = uv_pipe_init(self->loop, &line->pipe, 0);

    if (r) {
        free(line);
        return FAULT(r);
    }
    (void)snprintf(
        line->request, sizeof(line->request),
        "{\"id\":1,\"op\":\"tap\",\"endpoint\":\"%s\",\"filter\":\"(kind == call || kind == reply || kind == "
        "fail) && method !~ 'bus.*'\",\"bodies\":false,\"times\":false}\n",
        self->endpoint); /* fits: the endpoint is short */
    line->feed = self;
    line->pipe.data = line;
    line->connect.data = line;
    line->write.data = line;
    self->line = line;
    uv_pipe_connect(&line->connect, &line->pipe, self->control_path, on_connect);
    return 0;
}

/* --- opening and closing ------------------------------------------------------------------------- */

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static int pull_open(struct feed *self)
{
    if (self->pull) {
        return 0;
    }
    self->pull = zsock_new(ZMQ_PULL);
    if (!self->pull) {
        return FAULT(-zmq_errno());
    }
    zsock_set_rcvhwm(self->pull, BATCHES_WAITING);
    zsock_set_linger(self->pull, 0);
    if (zmq_bind(zsock_resolve(self->pull), self->endpoint) != 0) {
        return FAULT(-zmq_errno());
    }
    self->poll = mem_new(sizeof(*self->poll));
    int r = uv_poll_init(self->loop, self->poll, zsock_fd(self->pull));
    if (r) {
        free(TAKE(self->poll));
        return FAULT(r);
    }
    self->poll->data = self;
    r = uv_poll_start(self->poll, UV_READABLE, on_readable);
    return r ? FAULT(r) : 0;
}

int feed_open(struct feed *self)
{
    const char *run_dir = getenv("OPENCLAW_BUS_RUN_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    if (self->line) {
        return 0;
    }
    int n = run_dir
                ? snprintf(self->endpoint, sizeof(self->endpoint), "ipc://%s/tap-otel-%d.sock", run_dir, (int)getpid())
                : -1;
    int m = run_dir ? snprintf(self->control_path, sizeof(self->control_path), "%s/control.sock", run_dir) : -1;
    if (n < 0 || n >= (int)sizeof(self->endpoint) || m >= (int)sizeof(self->control_path)) {
        return FAULT(-ENOENT);
    }
    int r = pull_open(self);
    return r ? r : line_open(self);
}

void feed_close(struct feed *self)
{
    if (self->line) {
        line_close(self->line);
    }
    if (self->poll) {
        self->poll->data = NULL;
        uv_close((uv_handle_t *)TAKE(self->poll), on_poll_closed);
    }
    zsock_destroy(&self->pull);
}
