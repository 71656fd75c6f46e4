/*
 * models: GET /v1/models and /v1/models/<id>: the agents, as models.
 */
#ifndef EDGE_LISTENER_MODELS_H
#define EDGE_LISTENER_MODELS_H

struct exchange;

void models_start(struct exchange *self);

#endif
