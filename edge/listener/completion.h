/*
 * completion: POST /v1/chat/completions on the bus.
 */
#ifndef EDGE_LISTENER_COMPLETION_H
#define EDGE_LISTENER_COMPLETION_H

#include "edge/listener/exchange.h"

/* Called as exchange->on_body. */
void completion_start(struct exchange *self);

#endif
