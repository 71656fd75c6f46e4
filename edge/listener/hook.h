/*
 * hook: POST below hooks.path: by a token of its own, then what it brings, to the actor
 * `hooks`, which alone knows what it means.
 */
#ifndef EDGE_LISTENER_HOOK_H
#define EDGE_LISTENER_HOOK_H

#include "edge/http/request.h"
#include "edge/listener/stream.h"

struct edge;

/* Hooks are switched on, and this is their place or below it. */
bool hook_is_here(const struct edge *edge, struct span path);
void hook_begin(struct stream *stream, const struct request *request, struct span head);

#endif
