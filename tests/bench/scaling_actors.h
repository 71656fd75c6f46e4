/*
 * scaling_actors: synthetic edges, a router and agents, with the ways that a gateway's messages take and nothing else.
 */
#ifndef TESTS_BENCH_SCALING_ACTORS_H
#define TESTS_BENCH_SCALING_ACTORS_H

#include "bus/actor.h"

extern const struct actor_def scaling_edge;
extern const struct actor_def scaling_router;
extern const struct actor_def scaling_agent;

#endif
