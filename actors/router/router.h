/*
 * router: which agent serves a session, and everything that concerns several agents.
 */
#ifndef ACTORS_ROUTER_ROUTER_H
#define ACTORS_ROUTER_ROUTER_H

#include "bus/actor.h"

extern const struct actor_def router_actor;

#endif
