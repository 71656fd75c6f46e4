/*
 * run_index: which agent was given which run, as a hint, bounded and forgetful.
 *
 * Written when a run is handed to an agent, read when a client names a run and no
 * session. Absence proves nothing: the agents know.
 */
#ifndef ACTORS_ROUTER_RUN_INDEX_H
#define ACTORS_ROUTER_RUN_INDEX_H

#include <stdint.h>

#include "actors/router/session_key.h"
#include "bus/base/span.h"

#define RUN_INDEX_SLOTS 2048 /* a power of two */
#define RUN_INDEX_WAYS 4

struct run_index_slot {
    uint64_t hash; /* 0: free */
    uint32_t used; /* age within its set */
    char agent[SESSION_KEY_AGENT_MAX + 1];
};

struct run_index {
    uint64_t seed; /* so that a client cannot aim at a set */
    uint32_t clock;
    struct run_index_slot slots[RUN_INDEX_SLOTS];
};

/* `self` is zeroed memory, and stays untouched until it is used. */
void run_index_init(struct run_index *self, uint64_t seed);
/* Remembers, pushing out the oldest entry of the same set. */
void run_index_put(struct run_index *self, struct span run_id, const char *agent);
/* NULL when not remembered. */
const char *run_index_get(const struct run_index *self, struct span run_id);

#endif
