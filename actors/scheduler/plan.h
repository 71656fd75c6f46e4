/*
 * plan: when the heartbeats of an agent are due. Pure; times are Unix milliseconds.
 *
 * Due times stand on a grid of the interval, which is shifted for each agent, so that
 * neither the agents of a gateway nor gateways started together all ask at once.
 */
#ifndef ACTORS_SCHEDULER_PLAN_H
#define ACTORS_SCHEDULER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/scheduler/hours.h"
#include "bus/base/span.h"

#define PLAN_FLOOD_N 5      /* starts … */
#define PLAN_FLOOD_MS 60000 /* … within this time; a further one waits */
#define PLAN_LATE_LEAST_MS 60000

struct plan {
    int64_t every_ms; /* 0: nothing is ever due */
    int64_t phase_ms; /* below every_ms */
    struct hours hours;
    const struct zone *zone;
};

/* Where the grid of an agent begins, the same for the same seed and id. */
int64_t plan_phase_ms(uint64_t seed, struct span agent_id, int64_t every_ms);

/* The first time on the grid that is at least half an interval behind `start_ms`, behind
 * `now_ms`, and within the hours. 0: never. */
int64_t plan_next_ms(const struct plan *self, int64_t start_ms, int64_t now_ms);

/* A due time that is kept from before, as it counts now: the same, or another when the
 * clock was set back or the settings changed. One that was missed by no more than an interval stays due. */
int64_t plan_review_ms(const struct plan *self, int64_t due_ms, int64_t now_ms);

/* The times of the newest starts, oldest first; 0 is none. */
struct plan_starts {
    int64_t at_ms[PLAN_FLOOD_N];
};
void plan_start_note(struct plan_starts *self, int64_t now_ms);
/* The newest one asked no model, and does not count. */
void plan_start_forget(struct plan_starts *self);
/* When the next start is allowed: `now_ms`, or later after too many. */
int64_t plan_allowed_ms(const struct plan_starts *self, int64_t now_ms);

#endif
