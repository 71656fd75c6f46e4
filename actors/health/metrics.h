/*
 * metrics: gathers everybody's numbers when somebody asks for them. Nothing runs, and
 * nothing is kept, while nobody does.
 */
#ifndef ACTORS_HEALTH_METRICS_H
#define ACTORS_HEALTH_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "actors/health/facts.h"
#include "bus/actor.h"

#define METRICS_WAITERS_MAX 64

/* What one of those who were asked has said. */
struct metrics_answer {
    struct metrics_answer *next;
    char from[FACTS_ADDRESS_MAX];
    char *bytes; /* owned; NULL: nothing */
    size_t len;
};

struct metrics {
    struct metrics_answer *answers; /* owned */
    struct actor_token waiters[METRICS_WAITERS_MAX];
    size_t waiters_n;
    unsigned open_n; /* questions not answered yet */
};

/* Handler of metrics_text. */
int metrics_on_text(void *arg, struct actor_ctx *ctx, const void *msg);
void metrics_deinit(struct metrics *self);

#endif
