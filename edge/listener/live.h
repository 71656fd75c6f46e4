/*
 * live: the sockets of canvas pages, which are told when a file below the canvas root has changed. They hear the one
 * word "reload" and have nothing to say. The root is watched while there are any.
 */
#ifndef EDGE_LISTENER_LIVE_H
#define EDGE_LISTENER_LIVE_H

#include <stdbool.h>

#include "edge/http/request.h"

struct conn;
struct edge;

/* Answers an upgrade request that was let in: by the capability of `owner`, or by auth (NULL). */
void live_upgrade(struct conn *conn, const struct request *request, struct conn *owner);
/* The capability of that connection is void, or (with "") what auth agreed to: closes what it had let in. */
void live_revoke(struct edge *edge, const char *owner_id);
/* Closes `conn` with a reason, if it is one of them. */
bool live_leave(struct conn *conn);
/* The settings have changed. */
void live_configure(struct edge *edge);
/* At the end of the edge. */
void live_close(struct edge *edge);

#endif
