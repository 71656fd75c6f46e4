/*
 * watch: see watch.c.
 */
#ifndef ACTORS_WATCH_WATCH_H
#define ACTORS_WATCH_WATCH_H

#include "bus/actor.h"

extern const struct actor_def watch_actor;

#endif
