/*
 * repeat: the same line again and again becomes one line and a number. Pure.
 */
#ifndef ACTORS_LOG_REPEAT_H
#define ACTORS_LOG_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/log/line.h"

struct repeat {
    uint64_t last;  /* keyed hash of the newest line; 0: none */
    uint32_t count; /* of repeats held back */
    int64_t last_ms;
};

/* Whether this is the line before once more; then it is counted and must not be written. */
bool repeat_is_same(struct repeat *self, const struct line *line);
/* Repeats to report before anything else is written; forgets them. */
uint32_t repeat_take(struct repeat *self);

#endif
