/*
 * node_link: tells the actor `node` which connections of role node there are.
 */
#ifndef EDGE_LISTENER_NODE_LINK_H
#define EDGE_LISTENER_NODE_LINK_H

#include "edge/listener/conn.h"

struct actor_ctx;
struct msg_auth_decision;
struct msg_connect;

/* Before hello-ok, so that it stands before anything that the node asks for. Does nothing
 * for other roles. 0 or a fault. */
int node_link_join(struct conn *conn, const struct msg_connect *params, const struct msg_auth_decision *decision);
void node_link_leave(struct conn *conn);
/* Handles edge_follow. */
int node_link_on_follow(void *state, struct actor_ctx *ctx, const void *msg);
/* To a `node` that has started again. */
void node_link_repeat(struct edge *edge);

#endif
