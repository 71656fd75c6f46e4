#include "bus/supervisor.h"

const struct supervisor_policy supervisor_policy_default = {
    .initial_ms = 50,
    .factor = 2,
    .max_ms = 5000,
    .jitter_pct = 20,
    .intensity = 10,
    .period_ms = 60000,
    .stable_ms = 500,
};

void supervisor_init(struct supervisor_state *self, uint64_t seed)
{
    *self = (struct supervisor_state){ .seed = seed };
}

void supervisor_on_ready(struct supervisor_state *self, uint64_t now_ms)
{
    self->is_ready = true;
    self->ready_ms = now_ms;
}

void supervisor_reset(struct supervisor_state *self)
{
    self->is_ready = false;
    self->has_given_up = false;
    self->streak = 0;
    self->deaths_n = 0;
}

/* splitmix64: jitter needs spread, not secrecy. */
static uint64_t random_next(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* Deaths of this streak within the period, the newest included. */
static uint32_t deaths_count(const struct supervisor_state *self, uint64_t now_ms, uint32_t period_ms)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < self->deaths_n; i++) {
        uint32_t at = (self->deaths_at + SUPERVISOR_INTENSITY_MAX - 1 - i) % SUPERVISOR_INTENSITY_MAX;

        if (now_ms - self->deaths_ms[at] > period_ms) {
            break;
        }
        n++;
    }
    return n;
}

static void death_add(struct supervisor_state *self, uint64_t now_ms)
{
    self->deaths_ms[self->deaths_at] = now_ms;
    self->deaths_at = (self->deaths_at + 1) % SUPERVISOR_INTENSITY_MAX;
    if (self->deaths_n < SUPERVISOR_INTENSITY_MAX) {
        self->deaths_n++;
    }
}

static uint32_t delay_of(struct supervisor_state *self, const struct supervisor_policy *policy)
{
    uint64_t delay_ms = policy->initial_ms;
    uint64_t cut_max;

    if (self->streak == 0) {
        return 0;
    }
    for (uint32_t i = 1; i < self->streak && delay_ms < policy->max_ms; i++) {
        delay_ms *= policy->factor ? policy->factor : 1;
    }
    if (delay_ms > policy->max_ms) {
        delay_ms = policy->max_ms;
    }
    cut_max = delay_ms * (policy->jitter_pct < 100 ? policy->jitter_pct : 100) / 100;
    return (uint32_t)(delay_ms - random_next(&self->seed) % (cut_max + 1));
}

enum supervisor_decision supervisor_on_exit(struct supervisor_state *self, const struct supervisor_policy *policy,
                                            uint64_t now_ms, uint32_t *ret_delay_ms)
{
    uint32_t intensity =
        policy->intensity < SUPERVISOR_INTENSITY_MAX ? policy->intensity : SUPERVISOR_INTENSITY_MAX - 1;

    if (self->is_ready && now_ms - self->ready_ms >= policy->stable_ms) {
        self->streak = 0;
        self->deaths_n = 0;
    }
    self->is_ready = false;
    if (policy->intensity != SUPERVISOR_INTENSITY_NONE) {
        death_add(self, now_ms);
    }
    if (deaths_count(self, now_ms, policy->period_ms) > intensity) {
        self->has_given_up = true;
        return SUPERVISOR_GAVE_UP;
    }
    *ret_delay_ms = delay_of(self, policy);
    self->streak++;
    self->restarts++;
    return SUPERVISOR_RESTART;
}
