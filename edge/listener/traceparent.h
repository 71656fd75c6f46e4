/*
 * traceparent: the trace that a client brings along (W3C Trace Context, level 1, §3.2), as a header of a request or
 * in a frame. Pure. What is not valid is no trace: whoever asks then begins one of its own (zero).
 */
#ifndef EDGE_LISTENER_TRACEPARENT_H
#define EDGE_LISTENER_TRACEPARENT_H

#include "bus/actor.h"
#include "bus/base/span.h"

struct request;

/* The trace that `text` names, zero when it is no valid traceparent. */
struct trace_id traceparent_parse(struct span text);
/* That of a request; zero also when it has more than one. */
struct trace_id traceparent_of(const struct request *request);

#endif
