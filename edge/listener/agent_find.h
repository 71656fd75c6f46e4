/*
 * agent_find: asks router which agent is meant, for answers that are a file of its workspace.
 */
#ifndef EDGE_LISTENER_AGENT_FIND_H
#define EDGE_LISTENER_AGENT_FIND_H

#include "edge/listener/exchange.h"

/* `id` "": the default agent. Answers with 404 when there is none, otherwise with kind.on_agent. */
void agent_find(struct exchange *self, const char *id);

#endif
