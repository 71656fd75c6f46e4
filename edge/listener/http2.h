/*
 * http2: a connection of HTTP/2 (RFC 9113): many requests beside each other, each a stream.
 *
 * libnghttp2 reads and writes the frames, from and to memory; what a stream asks and how it is answered is the same as
 * with HTTP/1.1 (http.c). Frames are made only as the socket takes them, so that of a slow stream nothing waits but
 * what it was given to say, and what the others say does not wait behind it.
 */
#ifndef EDGE_LISTENER_HTTP2_H
#define EDGE_LISTENER_HTTP2_H

#include <stdbool.h>

#include "bus/base/span.h"

struct conn;

/* Does the input begin like a connection of HTTP/2 (RFC 9113 §3.4), as far as it has come? `*ret_is_whole`: it is one.
 */
bool http2_is_preface(struct span input, bool *ret_is_whole);

/* Makes a connection that has not been asked anything speak HTTP/2; its input begins with the preface. Without memory
 * it is ended. */
void http2_attach(struct conn *conn);

/* Does it speak HTTP/2? Then it takes no new requests, and ends when those under way are answered. */
bool http2_leave(struct conn *conn);
/* There is no more time: ends those under way with an error, if it does. */
void http2_give_up(struct conn *conn);

#endif
