/*
 * clock: monotonic time for deadlines and wall time for people.
 */
#ifndef BUS_BASE_CLOCK_H
#define BUS_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic time; never goes back, meaningless across hosts. */
uint64_t clock_mono_ns(void);
uint64_t clock_mono_ms(void);

/* Wall time since 1970 (Unix epoch). */
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);

#endif
