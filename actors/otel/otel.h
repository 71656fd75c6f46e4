/*
 * otel: see otel.c.
 */
#ifndef ACTORS_OTEL_OTEL_H
#define ACTORS_OTEL_OTEL_H

#include "bus/actor.h"

extern const struct actor_def otel_actor;

#endif
