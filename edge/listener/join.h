/*
 * join: GET /j/<code>: what is behind a link with which a machine pairs itself as a node, once.
 */
#ifndef EDGE_LISTENER_JOIN_H
#define EDGE_LISTENER_JOIN_H

#include <stdbool.h>

#include "edge/http/request.h"
#include "edge/listener/stream.h"

/* The path is that of a link, whatever a proxy keeps before it. */
bool join_is_here(struct span path);
void join_begin(struct stream *stream, const struct request *request, struct span head);

#endif
