/*
 * http2_internal: a connection of HTTP/2 as its parts see it: http2.c has the frames and the connection,
 * http2_stream.c one request. Only they include this.
 */
#ifndef EDGE_LISTENER_HTTP2_INTERNAL_H
#define EDGE_LISTENER_HTTP2_INTERNAL_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "edge/http/http2_head.h"
#include "edge/listener/patience.h"
#include "edge/listener/stream.h"

struct http2_stream;

/* The state of conn_ops. */
struct http2 {
    struct conn *conn;
    nghttp2_session *session;
    struct http2_stream *streams;
    size_t streams_n;
    struct patience patience; /* with frames that ask for nothing */
    size_t block_bytes;       /* of the fields that are being read */
    uint64_t idle_by_ms;      /* when a request must have come; 0: one is under way */
    bool is_leaving;          /* said that it takes no new requests */
    bool is_over;             /* nothing is read any more, only what was to be said goes out */
    bool is_full;             /* more is to be said than the queue had room for */
};

struct http2_stream {
    struct stream stream;
    struct http2 *http2;
    struct http2_stream *next;
    struct http2_stream *prev;
    int32_t id;
    struct http2_head head;
    struct text_buf early; /* of the body, before it is wanted */
    struct text_buf out;   /* of the answer's body */
    size_t out_ready;      /* of it, may be sent */
    size_t out_sent;
    size_t out_cost; /* memory of it, as it was last added up */
    uint64_t deadline_ms;
    bool is_head_method; /* whose answers have no body */
    bool is_asked;       /* its head was read */
    bool is_all_there;   /* of the request */
    bool is_body_wanted;
    bool is_begun; /* the head of the answer is on its way */
    bool is_ended; /* so is all of it */
    bool is_broken;
    bool is_drained; /* all that was ready was taken since the last look */
};

/* NULL without memory. */
struct http2_stream *http2_stream_new(struct http2 *http2, int32_t id);
/* It is gone: cancels what was asked for it. */
void http2_stream_destroy(struct http2_stream *self);
/* All of its head was there. */
void http2_stream_ask(struct http2_stream *self);
/* A piece of its body, and its end. */
void http2_stream_body(struct http2_stream *self, struct span data);
void http2_stream_body_end(struct http2_stream *self);
/* Its time is over. */
void http2_stream_late(struct http2_stream *self);
/* Ends it without an answer. */
void http2_stream_reset(struct http2_stream *self, uint32_t code);
/* Bytes of a request that is not complete. */
size_t http2_stream_held(const struct http2_stream *self);

#endif
