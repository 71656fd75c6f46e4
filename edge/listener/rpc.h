/*
 * rpc: requests of a client behind hello-ok, from frame to owner and back.
 */
#ifndef EDGE_LISTENER_RPC_H
#define EDGE_LISTENER_RPC_H

#include "edge/listener/ws.h"

/* One message of the client. */
void rpc_take(struct conn *conn, struct span text);
/* A change of the config, or of its secrets, that it asked for is under way. */
bool rpc_has_change(const struct ws *ws);
/* The connection is gone: what it asked for goes on, and nobody hears the answers. */
void rpc_drop(struct conn *conn, struct ws *ws);
void rpc_free_orphans(struct edge *edge);

#endif
