/*
 * supervisor: the policy behind every restart, of an actor by its host and of a host by
 * the supervising process. Pure: the caller passes the clock and acts on the decision.
 *
 * A death after a stable life (ready for `stable_ms`) starts afresh: it is restarted at
 * once. Deaths without a stable life between them wait longer each time, and end in
 * "gave up" when there are more than `intensity` of them within `period_ms`.
 */
#ifndef BUS_SUPERVISOR_H
#define BUS_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#define SUPERVISOR_INTENSITY_MAX 32
#define SUPERVISOR_INTENSITY_NONE UINT32_MAX /* waits, but never gives up */

struct supervisor_policy {
    uint32_t initial_ms; /* delay of the second restart in a row; the first has none */
    uint32_t factor;     /* each further delay is so many times the one before */
    uint32_t max_ms;     /* cap of the delay, jitter included */
    uint32_t jitter_pct; /* a delay is shortened by up to so many percent, at random */
    uint32_t intensity;  /* most restarts in `period_ms`: below SUPERVISOR_INTENSITY_MAX, or _NONE */
    uint32_t period_ms;
    uint32_t stable_ms; /* ready for so long means stable */
};

/* What hosts and the supervising process use unless they say otherwise. */
extern const struct supervisor_policy supervisor_policy_default;

enum supervisor_decision {
    SUPERVISOR_RESTART, /* after the delay returned, which may be 0 */
    SUPERVISOR_GAVE_UP, /* stays down until supervisor_reset */
};

struct supervisor_state {
    uint64_t seed;
    uint64_t ready_ms; /* when the present life became ready */
    bool is_ready;
    bool has_given_up;
    uint32_t streak;                              /* restarts in a row without a stable life */
    uint32_t restarts;                            /* ever */
    uint64_t deaths_ms[SUPERVISOR_INTENSITY_MAX]; /* ring of the streak's newest deaths */
    uint32_t deaths_at;
    uint32_t deaths_n;
};

/* `seed` makes jitter differ between actors; any value. */
void supervisor_init(struct supervisor_state *self, uint64_t seed);

/* The present life serves now. */
void supervisor_on_ready(struct supervisor_state *self, uint64_t now_ms);

/* The present life ended unasked. `ret_delay_ms` is set on SUPERVISOR_RESTART. */
enum supervisor_decision supervisor_on_exit(struct supervisor_state *self, const struct supervisor_policy *policy,
                                            uint64_t now_ms, uint32_t *ret_delay_ms);

/* An operator starts it again: forgets the streak and the "gave up" state. */
void supervisor_reset(struct supervisor_state *self);

#endif
