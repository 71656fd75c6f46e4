/*
 * health: who is connected, how everyone is, and one snapshot of it for all surfaces.
 */
#ifndef ACTORS_HEALTH_HEALTH_H
#define ACTORS_HEALTH_HEALTH_H

#include "bus/actor.h"

extern const struct actor_def health_actor;

#endif
