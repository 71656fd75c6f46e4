/*
 * conn_internal: a connection as its two parts see it: conn.c has what is read and written,
 * conn_lws.c what libwebsockets does for it. Only they and flush.c include this.
 */
#ifndef EDGE_LISTENER_CONN_INTERNAL_H
#define EDGE_LISTENER_CONN_INTERNAL_H

#include "edge/listener/conn.h"

/* Bytes have come; the same results as libwebsockets' callback: not 0 closes. */
int conn_on_rx(struct conn *self, uint8_t *data, size_t len);
/* The socket takes bytes again. */
int conn_on_writable(struct conn *self);
/* The socket is gone, or was never taken. */
void conn_destroy(struct conn *self);

#endif
