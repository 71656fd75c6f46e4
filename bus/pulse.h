/*
 * pulse: signs of life of the actors of one process, in a page that its supervising process
 * sees too. An actor writes one word; nobody is woken by it, and nothing is sent. Back comes
 * who does not respond: on another machine than the gateway's, the child carries that further.
 *
 * What stands in a page is the word of the child: its reader trusts nothing of it.
 */
#ifndef BUS_PULSE_H
#define BUS_PULSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/actor.h"

#define PULSE_ACTORS_MAX 512U /* of one process; those beyond are not watched */
#define PULSE_WORD_MAX 192U
#define PULSE_AT_WORK 1U /* bit of a beat: inside a handler */

/* Of one actor; its thread is the only writer of `beat`. */
struct pulse {
    _Alignas(64) _Atomic uint64_t beat; /* above bit 0: turns of the loop and messages, which only grow; 0: none yet */
    _Atomic uint32_t tid;               /* 0: nobody is here */
    char address[ACTOR_ADDRESS_MAX];    /* complete before `tid` is set */
    _Atomic uint32_t is_silent; /* the supervising process finds that it does not respond, and alone writes this */
};

struct pulse_page {
    _Atomic uint32_t used; /* those from here on were never taken */
    struct pulse actors[PULSE_ACTORS_MAX];
    char word[PULSE_WORD_MAX]; /* why the child ends by itself, if it says so */
};

/* Makes one, with a descriptor for the child, which cannot change its size. 0 or a fault. */
int pulse_page_new(int *ret_fd, struct pulse_page **ret_page);
/* Opens the one that the supervising process gave; closes the descriptor. 0 or a fault. */
int pulse_page_open(int fd, struct pulse_page **ret_page);
void pulse_page_close(struct pulse_page **page_p);
/* Its child is gone. */
void pulse_page_clear(struct pulse_page *self);

/* The child's last word, before it ends; NULL-safe. */
void pulse_page_say(struct pulse_page *self, const char *why);
/* False, and "", when it has left none. */
bool pulse_page_said(const struct pulse_page *self, char ret_why[PULSE_WORD_MAX]);

/* A place for the actor of that address; NULL when there is none left, or no page. */
struct pulse *pulse_take(struct pulse_page *self, const char *address);
/* NULL-safe. */
void pulse_give(struct pulse *self);

static inline void pulse_silence(struct pulse *self, bool is_silent)
{
    atomic_store_explicit(&self->is_silent, is_silent, memory_order_relaxed);
}

static inline bool pulse_is_silent(struct pulse *self)
{
    return atomic_load_explicit(&self->is_silent, memory_order_relaxed) != 0;
}

/* --- on the thread of the actor; all NULL-safe ------------------------------------------ */

void pulse_start(struct pulse *self);
void pulse_stop(struct pulse *self);

/* It waits for something to do. */
static inline void pulse_rest(struct pulse *self)
{
    if (self) {
        uint64_t beat = atomic_load_explicit(&self->beat, memory_order_relaxed);

        atomic_store_explicit(&self->beat, ((beat >> 1) + 1) << 1, memory_order_relaxed);
    }
}

/* It begins with the next piece of work. */
static inline void pulse_work(struct pulse *self)
{
    if (self) {
        uint64_t beat = atomic_load_explicit(&self->beat, memory_order_relaxed);

        atomic_store_explicit(&self->beat, ((beat >> 1) + 1) << 1 | PULSE_AT_WORK, memory_order_relaxed);
    }
}

#endif
