/*
 * base: see base.h.
 */
#include "actors/channel/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bus/base/clock.h"
#include "schema_gen.h"

#define PROBE_DEFAULT_MS 10000U

/* --- telling ------------------------------------------------------------------------------ */

static int tell(struct channel *self)
{
    return actor_publish(self->actor, MSG_CHANNEL_CHANGED,
                         &(struct msg_channel_changed){
                             .channel = span_from(self->transport->type),
                             .account = span_from(self->account_id),
                             .state = span_from(account_state_name(self->account.state)),
                         },
                         NULL);
}

static void status_show(struct channel *self)
{
    char text[600];

    if (self->disk.is_failing) {
        return; /* it says so itself */
    }
    if (!self->has_outbox) {
        actor_status(self->actor, "the outbox cannot be opened");
    } else if (self->account.state == ACCOUNT_UP) {
        actor_status(self->actor, "");
    } else {
        snprintf(text, sizeof(text), "%s%s%s", account_state_name(self->account.state),
                 self->account.last_error[0] ? ": " : "", self->account.last_error);
        actor_status(self->actor, text);
    }
}

int channel_event(struct channel *self, enum account_event event, const char *why)
{
    if (!account_apply(&self->account, event, span_from(why), clock_wall_ms())) {
        return 0;
    }
    status_show(self);
    return tell(self);
}

/* A watcher hears of the first message that waits and of the last one gone. */
static int tell_backlog(struct channel *self)
{
    bool is_empty = self->outbox.counts.queued_n + self->outbox.counts.unknown_n + self->outbox.counts.dead_n == 0;

    if (is_empty == self->was_empty) {
        return 0;
    }
    self->was_empty = is_empty;
    return tell(self);
}

/* --- the outbox ------------------------------------------------------------------------------ */

static void outbox_try(struct channel *self)
{
    if (!self->has_outbox) {
        self->has_outbox = outbox_open(self->path, &self->outbox) == 0;
        status_show(self);
    }
}

/* What the operator is told of an outcome. */
static int disk_note(struct channel *self, int outcome)
{
    if (outcome == OUTBOX_E_STORAGE) {
        disk_watch_refused(&self->disk);
    }
    return outcome;
}

static int on_disk_probe(void *arg)
{
    struct channel *self = arg;

    return outbox_probe(&self->outbox);
}

static void on_disk_over(void *arg)
{
    status_show(arg);
}

static int delivered(struct channel *self, const struct channel_waiter *waiter)
{
    return actor_token_reply(self->actor, waiter->token, MSG_CHANNEL_DELIVERED,
                             &(struct msg_channel_delivered){
                                 .outbox_id = waiter->item.id,
                                 .state = span_from(outbox_state_name(waiter->item.state)),
                                 .is_repeat = waiter->item.is_repeat,
                             });
}

/* Everything before the sync is answered after it, and with its outcome. */
static int waiters_answer(struct channel *self, int outcome)
{
    int r = 0;

    for (size_t i = 0; i < self->waiters_n && r >= 0; i++) {
        r = outcome ? actor_token_fail_text(self->actor, self->waiters[i].token, FAIL_STORAGE,
                                            "the outbox of %s/%s could not be written: the disk is full or failing",
                                            self->transport->type, self->account_id)
                    : delivered(self, &self->waiters[i]);
    }
    self->waiters_n = 0;
    return r < 0 ? r : 0;
}

static void on_commit(uv_timer_t *timer)
{
    struct channel *self = timer->data;
    int outcome = disk_note(self, outbox_commit(&self->outbox));
    int r = waiters_answer(self, outcome);

    if (outcome && !r) {
        r = channel_event(self, ACCOUNT_REFUSED, "the outbox could not be written");
    }
    r = r ? r : channel_pump(self);
    if (r) {
        actor_fault(self->actor, r);
    }
}

static int commit_soon(struct channel *self)
{
    return uv_is_active((uv_handle_t *)&self->commit) ? 0 : uv_timer_start(&self->commit, on_commit, 0, 0);
}

int channel_result(struct channel *self, uint64_t id, enum outbox_state state, const char *why)
{
    int r = state == OUTBOX_SENT ? channel_event(self, ACCOUNT_ACKED, "") : channel_event(self, ACCOUNT_REFUSED, why);

    if (r) {
        return r;
    }
    /* When this cannot be written the row stays `sending`, and unknown after a restart:
     * the truth, as far as the file knows it. */
    if (outbox_mark(&self->outbox, id, state, span_from(why), clock_wall_ms())) {
        return channel_event(self, ACCOUNT_REFUSED, "the outbox could not be written");
    }
    return commit_soon(self);
}

/* Marked as being sent, durably, before any of it leaves: a crash in between leaves
 * `unknown`, never a second copy. */
int channel_pump(struct channel *self)
{
    struct outbox_item items[CHANNEL_BATCH];
    size_t items_n = 0;
    int outcome = 0;
    int r = 0;

    while (self->has_outbox && items_n < CHANNEL_BATCH && self->transport->may_send(self) &&
           !(outcome = outbox_take(&self->outbox, &items[items_n], clock_wall_ms()))) {
        items_n++;
    }
    if (outcome < 0) {
        r = outcome;
    } else if (items_n && disk_note(self, outbox_commit(&self->outbox))) {
        r = channel_event(self, ACCOUNT_REFUSED, "the outbox could not be written");
    } else {
        for (size_t i = 0; i < items_n && !r; i++) {
            r = self->transport->send(self, &items[i]);
        }
    }
    for (size_t i = 0; i < items_n; i++) {
        outbox_item_free(&items[i]);
    }
    return r ? r : tell_backlog(self);
}

static int waiter_add(struct channel *self, struct actor_ctx *ctx, const struct outbox_item *item)
{
    if (self->waiters_n == self->waiters_cap) {
        size_t cap = self->waiters_cap ? self->waiters_cap * 2 : 16;
        struct channel_waiter *grown = realloc(self->waiters, cap * sizeof(*grown));

        if (!grown) {
            return FAULT(-ENOMEM);
        }
        self->waiters = grown;
        self->waiters_cap = cap;
    }
    self->waiters[self->waiters_n++] = (struct channel_waiter){
        .token = actor_defer(ctx, NULL),
        .item = { .id = item->id, .state = item->state, .is_repeat = item->is_repeat },
    };
    return commit_soon(self);
}

int channel_on_deliver(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct channel *self = arg;
    const struct msg_channel_deliver *in = msg;
    struct outbox_item item = {
        .key = in->idempotency_key,
        .session_key = in->session_key,
        .run_id = in->run_id,
        .to = in->to,
        .thread_id = in->thread_id,
        .text = in->text,
        .media = in->media,
    };
    int r;

    outbox_try(self);
    if (!self->has_outbox) {
        return actor_fail(ctx, FAIL_STORAGE, "the outbox of %s/%s cannot be opened", self->transport->type,
                          self->account_id);
    }
    r = disk_note(self, outbox_put(&self->outbox, &item, clock_wall_ms()));
    if (r > 0 && commit_soon(self)) {
        return FAULT(-EINVAL); /* only a timer that is being closed refuses */
    }
    if (r == OUTBOX_E_FULL) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the outbox of %s/%s is full: %llu messages wait",
                          self->transport->type, self->account_id, (unsigned long long)self->outbox.counts.queued_n);
    }
    if (r > 0) {
        return actor_fail(ctx, FAIL_STORAGE, "the outbox of %s/%s could not be written: the disk is full or failing",
                          self->transport->type, self->account_id);
    }
    return r ? r : waiter_add(self, ctx, &item);
}

/* --- status ----------------------------------------------------------------------------------- */

static void times_fill(const struct account *account, struct msg_channel_state *out)
{
    out->has_last_start_at = account->last_start_at != 0;
    out->last_start_at = account->last_start_at;
    out->has_last_stop_at = account->last_stop_at != 0;
    out->last_stop_at = account->last_stop_at;
    out->has_last_connected_at = account->last_connected_at != 0;
    out->last_connected_at = account->last_connected_at;
    out->has_last_inbound_at = account->last_inbound_at != 0;
    out->last_inbound_at = account->last_inbound_at;
    out->has_last_outbound_at = account->last_outbound_at != 0;
    out->last_outbound_at = account->last_outbound_at;
    out->has_last_probe_at = account->last_probe_at != 0;
    out->last_probe_at = account->last_probe_at;
    out->has_last_error_at = account->last_error_at != 0;
    out->last_error_at = account->last_error_at;
    out->has_last_error = account->last_error[0] != '\0';
    out->last_error = span_from(account->last_error);
}

int channel_on_status(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct channel *self = arg;
    const struct msg_channel_status *in = msg;
    const struct account *account = &self->account;
    struct msg_channel_state out = {
        .channel = span_from(self->transport->type),
        .account = span_from(self->account_id),
        .label = span_from(self->transport->label),
        .since = account->since,
        .is_configured = true,
        .is_enabled = account->state != ACCOUNT_STOPPED,
        .reconnect_attempts = account->attempts_n,
        .inbound_n = account->inbound_n,
        .outbound_n = account->outbound_n,
        .queued_n = self->outbox.counts.queued_n,
        .unknown_n = self->outbox.counts.unknown_n,
        .dead_n = self->outbox.counts.dead_n,
        .has_oldest_queued_at = self->outbox.counts.oldest_queued_at != 0,
        .oldest_queued_at = self->outbox.counts.oldest_queued_at,
    };
    int r = 0;

    if (in->probe && self->transport->probe) {
        r = self->transport->probe(self, in->has_timeout_ms ? in->timeout_ms : PROBE_DEFAULT_MS);
    }
    if (r) {
        return r;
    }
    outbox_try(self);
    times_fill(account, &out);
    if (!self->has_outbox && account->state == ACCOUNT_UP) {
        out.state = SPAN_LIT("degraded");
    } else {
        out.state = span_from(account_state_name(account->state));
    }
    return actor_reply(ctx, MSG_CHANNEL_STATE, &out);
}

/* --- life --------------------------------------------------------------------------------------- */

static int path_make(struct channel *self)
{
    const char *state_dir = getenv("OPENCLAW_STATE_DIR");
    char dir[3072];
    int len = snprintf(dir, sizeof(dir), "%s/db", state_dir ? state_dir : "");

    if (!state_dir || !*state_dir || len < 0 || (size_t)len >= sizeof(dir)) {
        return FAULT(-EINVAL);
    }
    (void)mkdir(dir, 0700); /* whether it is there shows when the file is opened */
    snprintf(self->path, sizeof(self->path), "%s/channel-%s-%s.sqlite", dir, self->transport->type, self->account_id);
    return 0;
}

/* The account is part of a file name. */
static bool is_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    return len && len <= CHANNEL_ACCOUNT_MAX && !text[len];
}

int channel_init(struct channel *self, struct actor *actor, const struct channel_transport *transport,
                 const char *account_id)
{
    int r;

    self->actor = actor;
    self->transport = transport;
    self->was_empty = true;
    account_id = *account_id ? account_id : "default";
    if (!is_name(account_id)) {
        return FAULT(-EINVAL);
    }
    snprintf(self->account_id, sizeof(self->account_id), "%s", account_id);
    r = uv_timer_init(actor_loop(actor), &self->commit);
    if (r) {
        return FAULT(r);
    }
    self->commit.data = self;
    self->has_commit = true;
    r = path_make(self);
    if (r) {
        return r;
    }
    disk_watch_open(&self->disk, actor, self->path, on_disk_probe, self);
    self->disk.on_over = on_disk_over;
    outbox_try(self);
    r = channel_event(self, ACCOUNT_START, "");
    return r ? r : transport->start(self);
}

void channel_deinit(struct channel *self)
{
    if (self->has_commit) {
        uv_close((uv_handle_t *)&self->commit, NULL);
    }
    disk_watch_close(&self->disk);
    if (self->has_outbox) {
        outbox_close(&self->outbox);
    }
    free(self->waiters);
}
