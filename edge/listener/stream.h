/*
 * stream: one request and the way by which its answer leaves: one after the other on a connection of HTTP/1.1
 * (http1.c), many beside each other on one of HTTP/2 (http2_stream.c). Whoever answers knows of neither.
 */
#ifndef EDGE_LISTENER_STREAM_H
#define EDGE_LISTENER_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/json.h"
#include "edge/http/request.h"
#include "edge/http/response.h"
#include "edge/listener/conn.h"
#include "edge/listener/tally.h"

struct exchange;
struct site_read;
struct stream;

struct stream_ops {
    /* The head of an answer, and its body unless that follows. False when nothing can be said any more. */
    bool (*begin)(struct stream *self, struct response *response, bool is_followed);
    /* Opens a body that follows for writing a piece in place, which `commit` sends. NULL when nothing can be said any
     * more. */
    struct text_buf *(*open)(struct stream *self, size_t *ret_at);
    void (*commit)(struct stream *self, struct text_buf *out, size_t at);
    /* All is said. */
    void (*end)(struct stream *self);
    /* Breaks off, so that the client sees that it has not all of it. */
    void (*break_off)(struct stream *self);
    /* Somebody else has the word; until then nothing is read for this stream, and it has no deadline. */
    void (*wait)(struct stream *self);
    /* The body is wanted now: exchange_body_add gets it. */
    void (*body_want)(struct stream *self, bool expects_continue);
    /* Reads on, after an answer that came later than its request was read. */
    void (*resume)(struct stream *self);
    bool (*is_open)(struct stream *self);
};

struct stream {
    const struct stream_ops *ops;
    struct conn *conn;
    uint64_t asked_ns;         /* when its head was there; 0: it was counted */
    enum tally_route route;    /* for the counters alone */
    enum request_body body;    /* as far as it has not been read */
    size_t body_max;           /* bytes that it may have */
    bool is_kept_alive;        /* the connection serves another request behind this one */
    struct exchange *exchange; /* NULL: none under way */
    struct site_read *file;    /* being sent; NULL: none */
};

/* Sends a piece of a body that follows. False when nothing can be said any more. */
static inline bool stream_send(struct stream *self, struct span bytes)
{
    size_t at;
    struct text_buf *out = self->ops->open(self, &at);

    if (!out) {
        return false;
    }
    if (text_buf_add(out, bytes)) {
        self->ops->break_off(self);
        return false;
    }
    self->ops->commit(self, out, at);
    return true;
}

static inline bool stream_is_busy(const struct stream *self)
{
    return self->exchange || self->file;
}

#endif
