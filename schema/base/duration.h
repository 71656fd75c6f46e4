/*
 * duration: how people write lengths of time and times of day in the config. Pure.
 */
#ifndef SCHEMA_BASE_DURATION_H
#define SCHEMA_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define DURATION_MAX_MS INT64_C(3153600000000) /* a hundred years */
#define DURATION_DAY_MINUTES 1440

/*
 * "30m", "1.5h", "1h30m", in any case and with space around it: numbers with the units ms,
 * s, m, h and d one behind the other. A number alone is taken in `unit_ms`. False when it
 * is none of that or longer than DURATION_MAX_MS.
 */
bool duration_parse(struct span text, int64_t unit_ms, int64_t *ret_ms);

/* "HH:MM" as minutes since midnight; "24:00" only where `is_end`. */
bool duration_parse_clock(struct span text, bool is_end, int *ret_minutes);

#endif
