/*
 * spans: from envelopes, as the tap shows them, to finished spans. Pure: time is that of the
 * envelopes, or given.
 *
 * A call and its answer are one span; what an actor asked while it was at a call of the same
 * trace is within that. Envelopes of different senders come in any order within a moment, so
 * a span is given out only when it has been over for a while. What finds no room is counted.
 */
#ifndef ACTORS_OTEL_SPANS_H
#define ACTORS_OTEL_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/envelope.h"

#define SPANS_MAX 4096            /* open, or over and not given out yet */
#define SPANS_SETTLE_US 1000000   /* so long others may still be found to be within one that is over */
#define SPANS_OPEN_US 600000000LL /* what is not answered after so long is forgotten */

struct span_one {
    struct trace_id trace;
    uint64_t id;
    uint64_t parent; /* 0: none; set when it is given out */
    uint64_t corr;
    int64_t start_us; /* since 1970; 0: its call has not been seen yet */
    int64_t end_us;   /* 0: open */
    uint64_t request_bytes;
    uint64_t answer_bytes;
    bool is_failed;
    char from[ACTOR_ADDRESS_MAX];
    char to[ACTOR_ADDRESS_MAX]; /* who answers; after a call was handed on, the last */
    char name[ENVELOPE_NAME_MAX];
    int32_t next_call;  /* in its bucket; -1: none */
    int32_t next_trace; /* the same */
};

struct spans {
    struct span_one *all; /* SPANS_MAX; owned */
    int32_t *by_call;     /* buckets */
    int32_t *by_trace;
    int32_t free; /* chain by next_call */
    uint32_t n;   /* in use */
    double rate;  /* share of the traces that is looked at */
    uint64_t dropped;
};

void spans_init(struct spans *self, double rate);
void spans_deinit(struct spans *self);

/* An envelope was sent at `at_us`. `is_lost`: it could not be delivered. */
void spans_see(struct spans *self, const struct envelope *env, uint64_t body_bytes, int64_t at_us, bool is_lost);

/* Gives out what is over, and forgets what never will be. */
typedef void (*spans_on_span)(void *arg, const struct span_one *span);
void spans_sweep(struct spans *self, int64_t now_us, spans_on_span on, void *arg);

#endif
