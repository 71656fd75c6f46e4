/*
 * hooks: see hooks.c.
 */
#ifndef ACTORS_HOOKS_HOOKS_H
#define ACTORS_HOOKS_HOOKS_H

#include "bus/actor.h"

extern const struct actor_def hooks_actor;

#endif
