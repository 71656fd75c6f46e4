/*
 * avatar: the pictures of agents for a control page: the picture itself, or with ?meta=1 what there is.
 */
#ifndef EDGE_LISTENER_AVATAR_H
#define EDGE_LISTENER_AVATAR_H

#include <stdbool.h>

#include "edge/http/avatar.h"
#include "edge/http/request.h"

struct edge;
struct msg_router_agent_found;
struct stream;

/* Answers when the request is for one; false when it is for somebody else. `head` is what it was read from. */
bool avatar_serve(struct stream *stream, const struct request *request, struct span head);
/* The picture of that agent; its spans point into `found` and the edge. */
void avatar_of(const struct edge *edge, const struct msg_router_agent_found *found, struct avatar *ret_avatar);

#endif
