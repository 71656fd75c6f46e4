/*
 * account: see account.h.
 */
#include "actors/channel/account.h"

#include <stdio.h>

#define RETRY_FIRST_MS 1000U
#define RETRY_MOST_MS 300000U

const char *account_state_name(enum account_state state)
{
    switch (state) {
    case ACCOUNT_STOPPED:
        return "stopped";
    case ACCOUNT_CONNECTING:
        return "connecting";
    case ACCOUNT_UP:
        return "up";
    case ACCOUNT_DEGRADED:
        return "degraded";
    case ACCOUNT_LOGGED_OUT:
        return "logged-out";
    }
    return "unknown";
}

static bool move(struct account *self, enum account_state state, int64_t now_ms)
{
    if (self->state == state) {
        return false;
    }
    self->state = state;
    self->since = now_ms;
    return true;
}

static void note_error(struct account *self, struct span why, int64_t now_ms)
{
    self->last_error_at = now_ms;
    snprintf(self->last_error, sizeof(self->last_error), "%.*s", (int)(why.len > 500 ? 500 : why.len),
             why.len ? why.ptr : "");
}

static bool is_connected(const struct account *self)
{
    return self->state == ACCOUNT_UP || self->state == ACCOUNT_DEGRADED;
}

static bool lost(struct account *self, int64_t now_ms)
{
    if (self->state == ACCOUNT_STOPPED || self->state == ACCOUNT_LOGGED_OUT) {
        return false; /* nobody wants it back */
    }
    self->attempts_n++;
    return move(self, ACCOUNT_CONNECTING, now_ms);
}

static bool refused(struct account *self, int64_t now_ms)
{
    self->refusals_n++;
    return self->state == ACCOUNT_UP && self->refusals_n >= ACCOUNT_REFUSALS_MAX &&
           move(self, ACCOUNT_DEGRADED, now_ms);
}

/* Nothing is wrong any more; when something last was stays known. */
static bool come_up(struct account *self, int64_t now_ms)
{
    self->last_error[0] = '\0';
    return move(self, ACCOUNT_UP, now_ms);
}

/* The far side answered: whatever it had refused before is forgiven. */
static bool answered(struct account *self, int64_t now_ms)
{
    self->refusals_n = 0;
    return self->state == ACCOUNT_DEGRADED && come_up(self, now_ms);
}

static bool life(struct account *self, enum account_event event, int64_t now_ms)
{
    if (event == ACCOUNT_START) {
        self->last_start_at = now_ms;
        self->attempts_n = self->refusals_n = 0;
        return !is_connected(self) && move(self, ACCOUNT_CONNECTING, now_ms);
    }
    if (event == ACCOUNT_STOP) {
        self->last_stop_at = now_ms;
        return move(self, ACCOUNT_STOPPED, now_ms);
    }
    if (self->state != ACCOUNT_CONNECTING) {
        return false;
    }
    self->last_connected_at = now_ms;
    self->attempts_n = self->refusals_n = 0;
    return come_up(self, now_ms);
}

bool account_apply(struct account *self, enum account_event event, struct span why, int64_t now_ms)
{
    switch (event) {
    case ACCOUNT_START:
    case ACCOUNT_STOP:
    case ACCOUNT_CONNECTED:
        return life(self, event, now_ms);
    case ACCOUNT_LOST:
        note_error(self, why, now_ms);
        return lost(self, now_ms);
    case ACCOUNT_EXPELLED:
        note_error(self, why, now_ms);
        return move(self, ACCOUNT_LOGGED_OUT, now_ms);
    case ACCOUNT_ADMITTED:
        self->last_inbound_at = now_ms;
        self->inbound_n++;
        return false;
    case ACCOUNT_ACKED:
        self->last_outbound_at = now_ms;
        self->outbound_n++;
        return answered(self, now_ms);
    case ACCOUNT_REFUSED:
        note_error(self, why, now_ms);
        return refused(self, now_ms);
    case ACCOUNT_PROBED:
        self->last_probe_at = now_ms;
        return answered(self, now_ms);
    case ACCOUNT_PROBE_FAILED:
        self->last_probe_at = now_ms;
        note_error(self, why, now_ms);
        return self->state == ACCOUNT_UP && move(self, ACCOUNT_DEGRADED, now_ms);
    }
    return false;
}

uint32_t account_retry_ms(const struct account *self, uint32_t random)
{
    uint32_t wait_ms = RETRY_FIRST_MS;

    for (uint32_t i = 1; i < self->attempts_n && wait_ms < RETRY_MOST_MS; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms > RETRY_MOST_MS ? RETRY_MOST_MS : wait_ms;
    return wait_ms - random % (wait_ms / 4 + 1);
}
