/*
 * event: what the actors publish, to the clients that may and want to see it.
 */
#ifndef EDGE_LISTENER_EVENT_H
#define EDGE_LISTENER_EVENT_H

#include "edge/listener/edge.h"

/* Subscribes to every event of the schema and to the generation of auth. 0 or a fault. */
int event_subscribe(struct edge *edge);
/* on_gap of the actor: events that never came here count in the sequence of those they were for. */
void event_on_gap(void *state, struct actor *actor, const struct actor_gap *gap);
/* Sends the edge's own events. */
void event_tick(struct edge *edge);
void event_shutdown(struct edge *edge, const char *reason, uint32_t restart_expected_ms);

#endif
