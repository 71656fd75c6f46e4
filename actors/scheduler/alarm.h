/*
 * alarm: one call at a time of the wall clock, and whenever somebody sets that clock. It
 * costs nothing while it waits, and is on time after the machine slept.
 */
#ifndef ACTORS_SCHEDULER_ALARM_H
#define ACTORS_SCHEDULER_ALARM_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* `was_set`: the clock was set; what was planned must be looked at again. */
typedef void (*alarm_on_due)(void *arg, bool was_set);

struct alarm {
    uv_poll_t poll;
    int fd;
    alarm_on_due on_due;
    void *arg;
    bool is_open;
};

/* 0 or a fault. */
int alarm_open(struct alarm *self, uv_loop_t *loop, alarm_on_due on_due, void *arg);
/* Unix milliseconds; one that has passed is due at once; 0 never. 0 or a fault. */
int alarm_set(struct alarm *self, int64_t at_ms);
/* Copes with one that was never opened. */
void alarm_close(struct alarm *self);

#endif
