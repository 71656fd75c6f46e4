/*
 * tool: POST /tools/invoke: one tool, run by the actor `tools`.
 */
#ifndef EDGE_LISTENER_TOOL_H
#define EDGE_LISTENER_TOOL_H

#include <stddef.h>

#define TOOL_BODY_MAX ((size_t)2 << 20)

struct exchange;

/* The body is there. */
void tool_start(struct exchange *self);

#endif
