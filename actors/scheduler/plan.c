#include "actors/scheduler/plan.h"

#include <string.h>

/* FNV-1a, whose lower bits are mixed well enough for a shift. */
int64_t plan_phase_ms(uint64_t seed, struct span agent_id, int64_t every_ms)
{
    uint64_t hash = 0xcbf29ce484222325ULL ^ seed;

    for (size_t i = 0; i < agent_id.len; i++) {
        hash = (hash ^ (unsigned char)agent_id.ptr[i]) * 0x100000001b3ULL;
    }
    hash ^= hash >> 32;
    return every_ms > 0 ? (int64_t)(hash % (uint64_t)every_ms) : 0;
}

int64_t plan_next_ms(const struct plan *self, int64_t start_ms, int64_t now_ms)
{
    int64_t every_ms = self->every_ms;
    int64_t least_ms = start_ms + (every_ms + 1) / 2;
    int64_t behind_ms;

    if (every_ms <= 0) {
        return 0;
    }
    least_ms = least_ms > now_ms ? least_ms : now_ms + 1;
    behind_ms = (least_ms - self->phase_ms) % every_ms;
    behind_ms = behind_ms < 0 ? behind_ms + every_ms : behind_ms;
    return hours_seek(&self->hours, self->zone, behind_ms ? least_ms + every_ms - behind_ms : least_ms, every_ms);
}

static int64_t late_max_ms(const struct plan *self)
{
    return self->every_ms > PLAN_LATE_LEAST_MS ? self->every_ms : PLAN_LATE_LEAST_MS;
}

int64_t plan_review_ms(const struct plan *self, int64_t due_ms, int64_t now_ms)
{
    int64_t fresh_ms = plan_next_ms(self, now_ms, now_ms);

    if (!due_ms || !fresh_ms || now_ms - due_ms > late_max_ms(self) ||
        (due_ms - self->phase_ms) % self->every_ms != 0) {
        return fresh_ms;
    }
    if (due_ms > now_ms && (due_ms > fresh_ms || !hours_hold(&self->hours, self->zone, due_ms))) {
        return fresh_ms;
    }
    return due_ms;
}

void plan_start_note(struct plan_starts *self, int64_t now_ms)
{
    memmove(self->at_ms, self->at_ms + 1, sizeof(self->at_ms) - sizeof(self->at_ms[0]));
    self->at_ms[PLAN_FLOOD_N - 1] = now_ms;
}

void plan_start_forget(struct plan_starts *self)
{
    memmove(self->at_ms + 1, self->at_ms, sizeof(self->at_ms) - sizeof(self->at_ms[0]));
    self->at_ms[0] = 0;
}

int64_t plan_allowed_ms(const struct plan_starts *self, int64_t now_ms)
{
    int64_t oldest_ms = self->at_ms[0];

    /* One in the future is from before the clock was set back. */
    return oldest_ms && oldest_ms <= now_ms && now_ms - oldest_ms < PLAN_FLOOD_MS ? oldest_ms + PLAN_FLOOD_MS : now_ms;
}
