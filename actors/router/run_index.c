/*
 * run_index: see run_index.h. A set-associative table: no chains, no deletion.
 */
#include "actors/router/run_index.h"

#include <stdio.h>

static uint64_t hash_of(const struct run_index *self, struct span run_id)
{
    uint64_t hash = 0xcbf29ce484222325ULL ^ self->seed;

    for (size_t i = 0; i < run_id.len; i++) {
        hash = (hash ^ (unsigned char)run_id.ptr[i]) * 0x100000001b3ULL;
    }
    hash ^= hash >> 29; /* the low bits choose the set */
    hash *= 0xbf58476d1ce4e5b9ULL;
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

static size_t set_of(uint64_t hash)
{
    return (size_t)(hash & (RUN_INDEX_SLOTS / RUN_INDEX_WAYS - 1)) * RUN_INDEX_WAYS;
}

void run_index_init(struct run_index *self, uint64_t seed)
{
    self->seed = seed;
}

void run_index_put(struct run_index *self, struct span run_id, const char *agent)
{
    uint64_t hash = hash_of(self, run_id);
    struct run_index_slot *set = &self->slots[set_of(hash)];
    struct run_index_slot *slot = &set[0];

    for (size_t i = 0; i < RUN_INDEX_WAYS; i++) {
        if (set[i].hash == hash) {
            slot = &set[i];
            break;
        }
        if (set[i].used < slot->used) {
            slot = &set[i];
        }
    }
    slot->hash = hash;
    slot->used = ++self->clock;
    snprintf(slot->agent, sizeof(slot->agent), "%s", agent);
}

const char *run_index_get(const struct run_index *self, struct span run_id)
{
    uint64_t hash = hash_of(self, run_id);
    const struct run_index_slot *set = &self->slots[set_of(hash)];

    for (size_t i = 0; i < RUN_INDEX_WAYS; i++) {
        if (set[i].hash == hash) {
            return set[i].agent;
        }
    }
    return NULL;
}
