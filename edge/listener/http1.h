/*
 * http1: a connection of HTTP/1.1: reads one request after the other, and lets WebSockets and HTTP/2 through.
 */
#ifndef EDGE_LISTENER_HTTP1_H
#define EDGE_LISTENER_HTTP1_H

#include "edge/listener/stream.h"

/* Makes a new connection speak HTTP/1.1. */
void http1_attach(struct conn *conn);
/* Frees what http1_attach made, for an upgrade; the caller sets ops and state. */
void http1_detach(struct conn *conn);
/* The request in hand of a connection that speaks HTTP/1.1. */
struct stream *http1_stream(struct conn *conn);
/* The gateway goes. Is there more to wait for: a request under way, or the first one of who has just come? */
bool http1_leave(struct conn *conn);
/* There is no more time: ends a request under way with an error, if the connection speaks HTTP/1.1. */
void http1_give_up(struct conn *conn);

#endif
