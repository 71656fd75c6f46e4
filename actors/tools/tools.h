/*
 * tools: see tools.c.
 */
#ifndef ACTORS_TOOLS_TOOLS_H
#define ACTORS_TOOLS_TOOLS_H

#include "bus/actor.h"

extern const struct actor_def tools_actor;

#endif
