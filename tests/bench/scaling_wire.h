/*
 * scaling_wire: what the synthetic actors of bench_scaling say to each other.
 */
#ifndef TESTS_BENCH_SCALING_WIRE_H
#define TESTS_BENCH_SCALING_WIRE_H

#include <stdint.h>

#include "bus/actor.h"

#define SCALING_TEXT_MAX 65536U

/* One run, from an edge by the router to an agent, which answers at once (it is accepted) and then tells of its end, or
 * of each of its `events`, to all edges. */
struct msg_run {
    uint64_t number; /* of its edge */
    uint64_t edge;
    uint64_t agents; /* the router hands it to one of so many */
    uint64_t work_us;
    uint64_t wait_ms;
    uint64_t gap_ms;
    uint64_t events;
    uint64_t event_bytes;
    struct span text;
};

struct msg_accepted {
    uint64_t number;
};

struct msg_event {
    uint64_t number;
    uint64_t edge;
    uint64_t is_last;
    struct span text;
};

/* From the driver to an edge: make so many runs like `like`, `window` at a time; answered when all have ended. */
struct msg_load {
    uint64_t runs;
    uint64_t window;
    uint64_t text_bytes;
    uint64_t agents;
    uint64_t work_us;
    uint64_t wait_ms;
    uint64_t gap_ms;
    uint64_t events;
    uint64_t event_bytes;
};

struct msg_loaded {
    uint64_t p50_us;
    uint64_t p99_us;
    uint64_t failed; /* runs, and events that were left out */
};

extern const struct schema_msg scaling_accepted;
extern const struct schema_msg scaling_event;
extern const struct schema_msg scaling_load;
extern const struct schema_msg scaling_loaded;
extern const struct schema_msg scaling_run;
extern const struct schema_registry scaling_registry;

#endif
