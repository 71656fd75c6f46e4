#include "bus/stall.h"

#include "bus/pulse.h"

bool stall_suspect(struct stall *self, uint64_t beat, bool is_hot)
{
    if (beat != self->beat) {
        *self = (struct stall){ .beat = beat, .is_told = self->is_told };
        return beat & PULSE_AT_WORK; /* it may be the last one: the time counts from here on */
    }
    /* One that handles no message may still be in a callback of its own, which shows by the time that it burns. */
    return beat != 0 && ((beat & PULSE_AT_WORK) || is_hot || self->own_ms > 0);
}

static uint64_t grown_ms(uint64_t before_ns, uint64_t now_ns)
{
    return now_ns > before_ns ? (now_ns - before_ns) / 1000000U : 0;
}

uint64_t stall_add(struct stall *self, const struct stall_thread *thread, uint64_t passed_ms)
{
    bool may_go_on = thread->state == 'R' || thread->state == 'S';
    uint64_t ran_ms = grown_ms(self->thread.ran_ns, thread->ran_ns);
    uint64_t ready_ms = grown_ms(self->thread.ready_ns, thread->ready_ns);

    if (self->is_seen && may_go_on && (self->beat & PULSE_AT_WORK)) {
        self->own_ms += ready_ms < passed_ms ? passed_ms - ready_ms : 0;
    } else if (self->is_seen && may_go_on) {
        self->own_ms += ran_ms < passed_ms ? ran_ms : passed_ms;
    }
    self->thread = *thread;
    self->is_seen = true;
    return self->own_ms;
}

void stall_skip(struct stall *self)
{
    self->is_seen = false;
}
