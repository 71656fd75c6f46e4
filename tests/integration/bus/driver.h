/*
 * driver: the actor that plays a scenario, and what all scenarios use.
 */
#ifndef TESTS_INTEGRATION_BUS_DRIVER_H
#define TESTS_INTEGRATION_BUS_DRIVER_H

#include "tests/integration/bus/rig.h"

struct driver {
    bool is_echo_ready;
    bool is_relay_ready;
    bool is_started;
    rig_scenario scenario;
    uint64_t count;
    uint64_t expected;
    uint64_t failures;
    uint64_t call_id;
    uint64_t started_ns;
    uint32_t first_incarnation;
    uint32_t first_of_echo;
    uint64_t lost;
    uint64_t dropped;
    uint64_t last; /* number of the newest event, from 1 */
    unsigned step;
    unsigned seen; /* lives of echo, a bit for each */
    uv_timer_t timer;
    void (*on_timer)(struct actor *actor);
};

/* One sentence that the bus promises. */
struct scenario {
    const char *name;
    rig_scenario play;
};

#define SCENARIO(fn)                                                                                                   \
    {                                                                                                                  \
#fn, fn                                                                                                        \
    }

/* Each ends with one that has no name. */
extern const struct scenario scenarios_of_calls[];
extern const struct scenario scenarios_of_topics[];
extern const struct scenario scenarios_of_lives[];

struct driver *driver_of(struct actor *actor);

/* A verdict that something is wrong, unless it is well. */
void check(bool is_well, const char *what);
void well(void);

/* One call with the usual shape. */
void ask(struct actor *actor, const char *to, const struct schema_msg *msg, uint64_t n, uint32_t deadline_ms,
         actor_on_answer on_answer);
void on_ignored(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer);

/* Asks again soon: for conditions that another actor reaches by itself. */
void again_soon(struct actor *actor, void (*fn)(struct actor *actor));

bool failed_with(const struct actor_answer *answer, int code);
/* Compares what failed for the verdict's text. */
void expect_failure(const struct actor_answer *answer, int code);

/* What somebody says to the driver. */
int lives_on_note(void *state, struct actor_ctx *ctx, const void *msg);
/* What it hears of the topics it is subscribed to. */
int topics_on_event(void *state, struct actor_ctx *ctx, const void *msg);
void topics_on_gap(void *state, struct actor *actor, const struct actor_gap *gap);

#endif
