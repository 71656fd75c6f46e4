/*
 * handshake: from connect.challenge to hello-ok, or to a refusal that says why.
 */
#ifndef EDGE_LISTENER_HANDSHAKE_H
#define EDGE_LISTENER_HANDSHAKE_H

#include "edge/http/request.h"
#include "edge/listener/ws.h"

/* Notes what the upgrade request says of the peer, and makes the nonce. */
struct handshake *handshake_new(struct conn *conn, const struct request *request);
const char *handshake_nonce(const struct handshake *self);
/* The first message of a client. */
void handshake_take(struct conn *conn, struct span text);
/* health is ready: those that waited for it go on. */
void handshake_resume(struct edge *edge);
/* Sends one that waited too long away; false when it did not wait. */
bool handshake_give_up(struct conn *conn, struct ws *ws);
/* The connection is gone. */
void handshake_drop(struct conn *conn, struct ws *ws);
/* Frees one that waits for an answer which will not come. */
void handshake_free_orphans(struct edge *edge);

#endif
