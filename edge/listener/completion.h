/*
 * completion: POST /v1/chat/completions and GET /v1/models on the bus.
 */
#ifndef EDGE_LISTENER_COMPLETION_H
#define EDGE_LISTENER_COMPLETION_H

#include "edge/listener/exchange.h"

/* Called as exchange->on_body. */
void completion_start(struct exchange *self);
void completion_models(struct exchange *self);
/* The socket took what was queued: more may come. */
void completion_drained(struct exchange *self);

#endif
