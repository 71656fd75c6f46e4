/*
 * http2_head: the head of a request of HTTP/2 (RFC 9113 §8.3) put into the words of HTTP/1.1, so that the one reader of
 * request.h, with its rules and limits, decides about both. Pure.
 *
 * What HTTP/1.1 could read as something else is refused here: characters that end a line or a word, and the fields
 * that say how a message is framed, which HTTP/2 does by itself.
 */
#ifndef EDGE_HTTP_HTTP2_HEAD_H
#define EDGE_HTTP_HTTP2_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"
#include "bus/json.h"

/* A pseudo-header field, within `text`. */
struct http2_head_part {
    size_t at;
    size_t len;
    bool is_there;
};

/* Zeroed is ready to start. */
struct http2_head {
    struct text_buf text;   /* the pseudo-header fields, then the lines of the others */
    struct text_buf cookie; /* its crumbs, joined (RFC 9113 §8.2.3) */
    struct http2_head_part method;
    struct http2_head_part path;
    struct http2_head_part authority;
    size_t lines_at; /* 0: none yet */
    bool has_scheme;
    bool has_length;
    bool is_bad;
    bool is_large;
};

void http2_head_deinit(struct http2_head *self);

/* One field, as it was decoded. What cannot be, or is too much, is noted, and nothing of it is kept. 0 or -ENOMEM. */
int http2_head_add(struct http2_head *self, struct span name, struct span value);

/*
 * All fields were there. Appends the head as HTTP/1.1 has it to `out`, for request_parse; `has_body` when a body
 * follows. 0, REQUEST_E_BAD, REQUEST_E_LARGE or -ENOMEM.
 */
int http2_head_end(const struct http2_head *self, bool has_body, struct text_buf *out);

#endif
