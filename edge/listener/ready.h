/*
 * ready: which actors the edge needs, how they are, and what the probes answer. Pure.
 */
#ifndef EDGE_LISTENER_READY_H
#define EDGE_LISTENER_READY_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/actor.h"
#include "bus/json.h"

#define READY_ACTORS_MAX 64U

struct ready_actor {
    char address[ACTOR_ADDRESS_MAX];
    enum actor_life life;
};

struct ready {
    struct ready_actor actors[READY_ACTORS_MAX];
    size_t actors_n;
};

/* Names an actor without which the gateway is not ready. */
void ready_need(struct ready *self, const char *address);
/* Notes how an actor is; one that nobody needs counts once it was seen. */
void ready_note(struct ready *self, struct span address, enum actor_life life);
bool ready_is(const struct ready *self);
/* How `address` is; ABSENT when it was never seen. */
enum actor_life ready_life(const struct ready *self, const char *address);
/* {"ready":…,"failing":[…],"uptimeMs":…}; `is_full` false leaves all but the first out.
 * 0 or -ENOMEM. */
int ready_write(const struct ready *self, uint64_t uptime_ms, bool is_full, struct text_buf *out);

#endif
