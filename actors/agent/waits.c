#include <stdio.h>
#include <stdlib.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/replies.h"
#include "bus/base/mem.h"
#include "schema_gen.h"

#define WAIT_DEFAULT_MS 30000U

static void wait_answer(struct agent *self, struct asker *wait, const struct store_run *row)
{
    pack_reset(&self->scratch);
    reply_wait_pack(&self->scratch, span_from(wait->run_id), row);
    if (!pack_error(&self->scratch)) {
        (void)actor_token_reply_span(self->actor, wait->token, pack_span(&self->scratch)); /* the asker may be gone */
    }
}

static void wait_unlink(struct agent *self, struct asker **at)
{
    struct asker *wait = *at;

    *at = wait->next;
    self->waits_n--;
    asker_free(wait);
}

void waits_end(struct agent *self, const struct store_run *row)
{
    struct asker **at = &self->waits;

    while (*at) {
        if (span_is_text(span_from((*at)->run_id), row->id)) {
            wait_answer(self, *at, row);
            wait_unlink(self, at);
        } else {
            at = &(*at)->next;
        }
    }
}

bool waits_cancel(struct agent *self, void *cookie)
{
    for (struct asker **at = &self->waits; *at; at = &(*at)->next) {
        if (*at == cookie) {
            wait_unlink(self, at);
            return true;
        }
    }
    return false;
}

/* --- the timer -------------------------------------------------------------------------- */

static void waits_expire(struct agent *self, uint64_t now_ms)
{
    struct asker **at = &self->waits;

    while (*at) {
        if ((*at)->due_ms <= now_ms) {
            wait_answer(self, *at, NULL);
            wait_unlink(self, at);
        } else {
            at = &(*at)->next;
        }
    }
}

static int unsaved_retry(struct agent *self)
{
    zlistx_t *runs = zhashx_values(self->book.runs);
    int rc = 0;

    for (struct run *run = zlistx_first(runs); run && !rc; run = zlistx_next(runs)) {
        if (run->is_unsaved) {
            rc = turn_save(self, run);
        }
    }
    zlistx_destroy(&runs);
    return rc;
}

static int unsaved_due(struct agent *self)
{
    int rc = batch_probe(self);

    self->unsaved_due_ms = 0;
    if (rc > 0) {
        batch_retry_later(self);
    }
    if (rc) {
        return rc;
    }
    rc = unsaved_retry(self);
    batch_due(self); /* runs that wait for the database may start */
    return rc;
}

static void timer_on_timer(uv_timer_t *timer)
{
    struct agent *self = timer->data;
    uint64_t now_ms = uv_now(actor_loop(self->actor));
    int rc = 0;

    waits_expire(self, now_ms);
    if (self->late_due_ms && self->late_due_ms <= now_ms) {
        self->late_due_ms = 0;
        show_late(self);
    }
    if (self->unsaved_due_ms && self->unsaved_due_ms <= now_ms) {
        rc = unsaved_due(self);
    }
    if (rc < 0) {
        (void)actor_fault(self->actor, rc); /* the loop ends after this turn */
        return;
    }
    waits_arm(self);
}

static uint64_t due_min(uint64_t a, uint64_t b)
{
    if (!a || !b) {
        return a ? a : b;
    }
    return a < b ? a : b;
}

void waits_arm(struct agent *self)
{
    uint64_t due_ms = due_min(self->unsaved_due_ms, self->late_due_ms);
    uint64_t now_ms = uv_now(actor_loop(self->actor));

    if (!self->is_timer_open) {
        return;
    }
    for (struct asker *wait = self->waits; wait; wait = wait->next) {
        due_ms = due_min(due_ms, wait->due_ms);
    }
    if (due_ms) {
        /* Fails for no callback only. */
        (void)uv_timer_start(&self->timer, timer_on_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
    } else {
        (void)uv_timer_stop(&self->timer); /* always 0 */
    }
}

int waits_open(struct agent *self)
{
    (void)uv_timer_init(actor_loop(self->actor), &self->timer); /* always 0 */
    self->timer.data = self;
    self->is_timer_open = true;
    return 0;
}

void waits_close(struct agent *self)
{
    while (self->waits) {
        wait_unlink(self, &self->waits);
    }
    if (self->is_timer_open) {
        uv_close((uv_handle_t *)&self->timer, NULL);
        self->is_timer_open = false;
    }
}

/* --- agent.wait ----------------------------------------------------------------------------- */

static int wait_reply(struct agent *self, struct actor_ctx *ctx, struct span run_id, const struct store_run *row)
{
    pack_reset(&self->scratch);
    reply_wait_pack(&self->scratch, run_id, row);
    return pack_error(&self->scratch) ? pack_error(&self->scratch) : actor_reply_span(ctx, pack_span(&self->scratch));
}

int on_agent_wait(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct agent *self = arg;
    const struct msg_agent_wait *in = msg;
    uint64_t wait_ms = in->has_timeout_ms ? in->timeout_ms : WAIT_DEFAULT_MS;
    struct store_run row;
    struct asker *wait;
    int rc = STORE_E_ABSENT;

    if (!book_run_find(&self->book, in->run_id)) {
        rc = store_run_get(&self->store, in->run_id, &row);
    }
    if (rc == 0) {
        return wait_reply(self, ctx, in->run_id, &row);
    }
    if (rc != STORE_E_ABSENT) {
        return rc < 0 ? rc : actor_fail(ctx, FAIL_STORAGE, "the runs cannot be read: %s", store_problem(&self->store));
    }
    if (!wait_ms) {
        return wait_reply(self, ctx, in->run_id, NULL);
    }
    if (self->waits_n >= AGENT_WAITS_MAX) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "too many callers wait for runs of this agent");
    }
    wait = mem_new(sizeof(*wait));
    wait->kind = ASKER_WAIT;
    wait->due_ms = uv_now(actor_loop(self->actor)) + (wait_ms > UINT32_MAX ? UINT32_MAX : wait_ms);
    (void)snprintf(wait->run_id, sizeof(wait->run_id), "%.*s", SPAN_FMT(in->run_id));
    wait->token = actor_defer(ctx, wait);
    wait->next = self->waits;
    self->waits = wait;
    self->waits_n++;
    waits_arm(self);
    return 0;
}
