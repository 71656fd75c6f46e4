/*
 * subscription: which sessions a client wants to hear of; the methods the edge answers itself.
 */
#ifndef EDGE_LISTENER_SUBSCRIPTION_H
#define EDGE_LISTENER_SUBSCRIPTION_H

#include "edge/listener/ws.h"

/* One of the methods owned by "edge". `id` is raw JSON, `body` the packed params. */
void subscription_take(struct conn *conn, struct span id, struct trace_id trace, const struct schema_msg *msg,
                       struct span body);
/* Did it ask for the messages of this session? */
bool subscription_has(const struct ws *ws, struct span key);
/* The connection is gone. */
void subscription_drop(struct conn *conn, struct ws *ws);
void subscription_free_orphans(struct edge *edge);

/* A node follows a session, or no longer. One that follows too many follows no more. */
void subscription_follow(struct ws *ws, struct span key, bool is_following);

#endif
