/*
 * listener: the actor edge/<n>, which faces people and programs outside: WebSocket and HTTP
 * on the listening sockets that the supervising process lends it (bus/sockets.h).
 */
#ifndef EDGE_LISTENER_LISTENER_H
#define EDGE_LISTENER_LISTENER_H

#include "bus/actor.h"

extern const struct actor_def edge_actor;

#endif
