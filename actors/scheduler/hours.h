/*
 * hours: the part of each day in which heartbeats may run. Pure.
 */
#ifndef ACTORS_SCHEDULER_HOURS_H
#define ACTORS_SCHEDULER_HOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/scheduler/zone.h"

/* Minutes since local midnight: from `start` on, before `end`. A window may run over
 * midnight; one of no width is never open. Without `is_set` every time is fit. */
struct hours {
    bool is_set;
    int start;
    int end; /* up to 1440 */
};

bool hours_hold(const struct hours *self, const struct zone *zone, int64_t at_ms);

/*
 * The first of `from_ms`, `from_ms` + `step_ms`, … that the hours hold; 0 when there is none
 * within a week, as no window ever opens or the steps miss it.
 */
int64_t hours_seek(const struct hours *self, const struct zone *zone, int64_t from_ms, int64_t step_ms);

#endif
