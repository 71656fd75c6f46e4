/*
 * stall: how long an actor has been at one piece of work, without the time in which it could
 * not go on for no fault of its own. Pure: the caller looks, and says what it saw.
 *
 * Not counted: waiting for a processor on a busy machine, for a disk, for a debugger. So a
 * slow machine is no stalled actor, and what counts is an endless loop or a wait without end.
 */
#ifndef BUS_STALL_H
#define BUS_STALL_H

#include <stdbool.h>
#include <stdint.h>

/* A thread as the kernel shows it. */
struct stall_thread {
    char state;        /* of /proc/<pid>/task/<tid>/stat: R, S, D, T, t, … */
    uint64_t ran_ns;   /* on a processor, ever */
    uint64_t ready_ns; /* ready to run and without a processor, ever */
};

/* One actor under observation. */
struct stall {
    uint64_t beat;
    uint64_t own_ms; /* at what it does since `beat` */
    struct stall_thread thread;
    bool is_seen; /* `thread` is of the last look */
    bool is_told; /* that it does not respond */
};

/* False when there is nothing to suspect: it waits for work. Then its thread need not be looked at.
 * `is_hot`: its process uses so much of a processor that one of its threads may do so without end. */
bool stall_suspect(struct stall *self, uint64_t beat, bool is_hot);
/* Its thread now, `passed_ms` after the look before. Returns `own_ms`. */
uint64_t stall_add(struct stall *self, const struct stall_thread *thread, uint64_t passed_ms);
/* The time since the last look says nothing. */
void stall_skip(struct stall *self);

#endif
