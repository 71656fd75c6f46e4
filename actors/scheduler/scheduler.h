/*
 * scheduler: heartbeats and wake-ups.
 */
#ifndef ACTORS_SCHEDULER_SCHEDULER_H
#define ACTORS_SCHEDULER_SCHEDULER_H

#include "bus/actor.h"

extern const struct actor_def scheduler_actor;

#endif
