/*
 * host_rest: the strategy rest_for_one. Who ends unasked takes along those that stand
 * after it in the list, since they may count on it: they end in reverse order, then it
 * starts again, then they do.
 */
#include "bus/host_internal.h"

static bool is_after(const struct slot *slot, const struct slot *first)
{
    for (const struct slot *at = first->next; at; at = at->next) {
        if (at == slot) {
            return true;
        }
    }
    return false;
}

bool host_rest_takes(const struct slot *slot)
{
    return slot->is_resting || (slot->host->rest && is_after(slot, slot->host->rest));
}

void host_rest_begin(struct slot *slot)
{
    struct host *self = slot->host;

    if (self->rest && self->rest != slot) { /* one that stands after it, or it would have been taken along */
        (void)uv_timer_stop(&self->rest->timer);
        self->rest->is_resting = true;
    }
    self->rest = slot;
    host_rest_next(self);
}

void host_rest_next(struct host *self)
{
    struct slot *last = NULL;

    if (self->is_stopping) {
        return;
    }
    if (!self->rest) {
        host_start_next(self);
        return;
    }
    for (struct slot *slot = self->rest->next; slot; slot = slot->next) {
        last = slot->thread ? slot : last;
    }
    if (last) {
        last->is_resting = true;
        slot_stop(last);
    } else if (!self->rest->thread && !uv_is_active((uv_handle_t *)&self->rest->timer)) {
        host_start_first(TAKE(self->rest));
    }
}

void host_rest_forget(struct slot *slot)
{
    if (slot->host->rest == slot) {
        slot->host->rest = NULL;
        host_start_next(slot->host);
    }
}
