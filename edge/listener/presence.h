/*
 * presence: tells the health actor which clients are connected.
 */
#ifndef EDGE_LISTENER_PRESENCE_H
#define EDGE_LISTENER_PRESENCE_H

struct conn;
struct edge;
struct msg_auth_decision;
struct msg_connect;

/* Packs who the client is, for now and for later, and tells. 0 or a fault. */
int presence_join(struct conn *conn, const struct msg_connect *params, const struct msg_auth_decision *decision);
void presence_leave(struct conn *conn);
/* Tells of every client again: the health actor has started anew. */
void presence_repeat(struct edge *edge);

#endif
