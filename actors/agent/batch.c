/*
 * batch: what a turn of the loop wrote is committed at its end, and shown once that has reached the disk.
 *
 * A run is in at most one list. RUN_TOUCHED becomes RUN_STORED with the commit that has what was written of it, and is
 * shown with that. Text alone is shown in the turn in which it comes, unless a commit of its run is still to be shown.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/agent/agent_state.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "schema_gen.h"

/* --- answers --------------------------------------------------------------------------------- */

static void ack_free(struct ack *ack)
{
    text_buf_deinit(&ack->body);
    free(ack);
}

static void ack_push(struct ack_list *list, struct ack *ack)
{
    ack->next = NULL;
    if (list->last) {
        list->last->next = ack;
    } else {
        list->first = ack;
    }
    list->last = ack;
}

static struct ack *ack_pop(struct ack_list *list)
{
    struct ack *ack = list->first;

    if (ack) {
        list->first = ack->next;
        list->last = list->first ? list->last : NULL;
    }
    return ack;
}

static int ack_add(struct agent *self, struct actor_token token, struct span body, int64_t accepted_ms, bool is_last)
{
    struct ack *ack = mem_new(sizeof(*ack));

    ack->token = token;
    ack->accepted_ms = accepted_ms;
    ack->is_last = is_last;
    if (text_buf_add(&ack->body, body)) {
        ack_free(ack);
        return FAULT(-ENOMEM);
    }
    ack_push(&self->acks, ack);
    batch_due(self);
    return 0;
}

int batch_ack(struct agent *self, struct actor_token token, struct span body, bool is_last)
{
    return ack_add(self, token, body, 0, is_last);
}

int batch_ack_accepted(struct agent *self, struct actor_token token, struct span run_id, int64_t accepted_ms)
{
    return ack_add(self, token, run_id, accepted_ms, false);
}

static void ack_send(struct agent *self, const struct ack *ack)
{
    struct span body = { ack->body.data, ack->body.len };
    struct msg_agent_accepted accepted = { .run_id = body,
                                           .status = SPAN_LIT("accepted"),
                                           .accepted_at = ack->accepted_ms };

    if (!ack->accepted_ms) {
        (void)actor_token_reply_span(self->actor, ack->token, body); /* the asker may be gone */
        return;
    }
    /* A caller that gave no window sees the second phase alone. */
    (void)actor_stream_send(self->actor, ack->token, MSG_AGENT_ACCEPTED, &accepted);
}

/* Those that go before the events of their commit, or the rest. */
static void acks_send(struct agent *self, struct ack_list *list, bool is_last)
{
    struct ack_list rest = { 0 };
    struct ack *ack;

    while ((ack = ack_pop(list))) {
        if (ack->is_last && !is_last) {
            ack_push(&rest, ack);
        } else {
            ack_send(self, ack);
            ack_free(ack);
        }
    }
    *list = rest;
}

void batch_acks_fail(struct agent *self, const struct failure *failure)
{
    struct ack *ack;

    while ((ack = ack_pop(&self->acks))) {
        if (!ack->accepted_ms) {
            (void)actor_token_fail(self->actor, ack->token, failure); /* the asker may be gone */
        }
        ack_free(ack);
    }
}

/* --- runs ------------------------------------------------------------------------------------- */

static void run_push(struct agent *self, struct run *run, enum run_place place)
{
    struct run_list *list = &self->lists[place];

    run->place = place;
    run->place_next = NULL;
    if (list->last) {
        list->last->place_next = run;
    } else {
        list->first = run;
    }
    list->last = run;
}

static struct run *run_pop(struct agent *self, enum run_place place)
{
    struct run_list *list = &self->lists[place];
    struct run *run = list->first;

    if (run) {
        list->first = run->place_next;
        list->last = list->first ? list->last : NULL;
        run->place = RUN_NOWHERE;
    }
    return run;
}

void batch_touch_text(struct agent *self, struct run *run)
{
    batch_due(self);
    if (run->place == RUN_NOWHERE) {
        run_push(self, run, RUN_TOUCHED);
    }
}

void batch_touch(struct agent *self, struct run *run)
{
    run->is_written = true;
    if (run->place == RUN_SHOWING) {
        batch_untouch(self, run); /* what is new is to be committed first */
    }
    batch_touch_text(self, run);
}

void batch_untouch(struct agent *self, struct run *run)
{
    struct run_list *list = &self->lists[run->place];
    struct run *before = NULL;

    if (run->place == RUN_NOWHERE) {
        return;
    }
    for (struct run *at = list->first; at != run; at = at->place_next) {
        before = at;
    }
    if (before) {
        before->place_next = run->place_next;
    } else {
        list->first = run->place_next;
    }
    if (list->last == run) {
        list->last = before;
    }
    run->place = RUN_NOWHERE;
}

/* Takes the runs of one list to others. Those that it takes back to the same list it meets once. */
static void runs_sort(struct agent *self, enum run_place from, enum run_place (*place_of)(struct agent *, struct run *))
{
    struct run *last = self->lists[from].last;
    struct run *run = NULL;

    while (run != last) {
        run = run_pop(self, from);
        run_push(self, run, place_of(self, run));
    }
}

/* Each run is shown once; what is touched meanwhile belongs to the next turn. */
static void runs_show(struct agent *self)
{
    struct run *run;

    while ((run = run_pop(self, RUN_SHOWING))) {
        show_run(self, run); /* `run` may be gone from here on */
    }
}

/* --- the commit ---------------------------------------------------------------------------- */

static enum run_place place_committed(struct agent *self, struct run *run)
{
    bool was_written = run->is_written;

    run->is_written = false;
    run->is_unstored = false;
    return was_written && self->syncer.is_busy ? RUN_STORED : RUN_SHOWING;
}

/* While a commit is on its way to the disk, and when it is there: what was written since waits for the next one. */
static enum run_place place_uncommitted(struct agent *self, struct run *run)
{
    (void)self;
    return run->is_written ? RUN_TOUCHED : RUN_SHOWING;
}

/* 0 or a fault. Of a failure everyone has been told. */
static int commit(struct agent *self)
{
    bool is_to_sync = self->store.in_batch && self->store.has_log;
    int rc = store_batch_commit(&self->store);

    if (rc) {
        rc = batch_fail(self, rc);
        return rc < 0 ? rc : 0;
    }
    return is_to_sync ? syncer_ask(&self->syncer) : 0;
}

static void acks_store(struct agent *self)
{
    self->stored_acks = self->acks;
    self->acks = (struct ack_list){ 0 };
}

static int turn_commit(struct agent *self)
{
    int rc = commit(self);

    if (rc) {
        return rc;
    }
    acks_store(self);
    runs_sort(self, RUN_TOUCHED, place_committed);
    if (self->syncer.is_busy) {
        runs_show(self);
        return 0;
    }
    acks_send(self, &self->stored_acks, false);
    runs_show(self);
    acks_send(self, &self->stored_acks, true);
    return 0;
}

static void turn_end(struct agent *self)
{
    int rc;

    if (self->is_void) {
        return; /* nobody shall see more of it */
    }
    self->is_due = false;
    rc = turn_start_ready(self);
    if (rc >= 0 && self->syncer.is_busy) {
        runs_sort(self, RUN_TOUCHED, place_uncommitted);
        runs_show(self);
    } else if (rc >= 0) {
        rc = turn_commit(self);
    }
    if (rc < 0) {
        (void)actor_fault(self->actor, rc); /* the loop ends after this turn */
        return;
    }
    if (!self->is_due) {
        (void)uv_check_stop(&self->check); /* always 0 */
        (void)uv_idle_stop(&self->idle);   /* always 0 */
    }
}

static void check_on_turn(uv_check_t *check)
{
    struct agent *self = check->data;
    struct actor *actor = self->actor;

    actor_work_begin(actor); /* it is no handler, and takes the most time */
    actor_cork(actor);       /* pieces of many runs, which wake the edge once */
    turn_end(self);
    actor_uncork(actor);
    actor_work_end(actor);
}

static void idle_on_turn(uv_idle_t *idle)
{
    (void)idle; /* that it is active is its use */
}

void batch_due(struct agent *self)
{
    self->is_due = true;
    if (!uv_is_active((uv_handle_t *)&self->check)) {
        (void)uv_check_start(&self->check, check_on_turn); /* fails for no callback only */
        (void)uv_idle_start(&self->idle, idle_on_turn);    /* fails for no callback only */
    }
}

/* --- the disk ------------------------------------------------------------------------------------ */

static void stored_show(struct agent *self)
{
    acks_send(self, &self->stored_acks, false);
    runs_sort(self, RUN_STORED, place_uncommitted);
    runs_show(self);
    acks_send(self, &self->stored_acks, true);
}

/* What a disk refused once it may have forgotten, and a second sync would not tell (https://lwn.net/Articles/752063/):
 * so nothing that is in memory counts any more, and the next life of this actor begins with what is stored. */
static void sync_fail(struct agent *self, int rc)
{
    log_error("agent_store_not_synced",
              "file=%s problem=\"%s\" fix=\"check the disk; the agent starts again from what is stored\"", self->path,
              strerror(-rc));
    self->is_void = true;
    (void)actor_fault(self->actor, FAULT(rc));
}

static void on_synced(void *arg, int rc)
{
    struct agent *self = arg;

    if (rc) {
        sync_fail(self, rc);
        return;
    }
    actor_work_begin(self->actor);
    actor_cork(self->actor);
    stored_show(self);
    actor_uncork(self->actor);
    actor_work_end(self->actor);
    if (self->store.in_batch || self->acks.first || self->lists[RUN_TOUCHED].first) {
        batch_due(self);
    }
}

int batch_settle(struct agent *self)
{
    int rc;

    if (self->is_void) {
        return 0; /* the next life begins with what there is */
    }
    rc = store_batch_commit(&self->store);
    if (!rc && self->store.has_log) {
        rc = syncer_now(&self->syncer); /* covers what is under way as well */
        rc = rc ? FAULT(rc) : 0;
    }
    if (rc) {
        return rc;
    }
    stored_show(self);
    acks_store(self);
    runs_sort(self, RUN_TOUCHED, place_committed);
    stored_show(self);
    return 0;
}

int batch_open(struct agent *self)
{
    uv_loop_t *loop = actor_loop(self->actor);

    (void)uv_check_init(loop, &self->check); /* always 0 */
    (void)uv_idle_init(loop, &self->idle);   /* always 0 */
    self->check.data = self;
    self->is_check_open = true;
    self->syncer.on_synced = on_synced;
    self->syncer.arg = self;
    return syncer_open(&self->syncer, loop);
}

void batch_close(struct agent *self)
{
    struct ack *ack;

    while ((ack = ack_pop(&self->stored_acks)) || (ack = ack_pop(&self->acks))) {
        ack_free(ack);
    }
    syncer_close(&self->syncer);
    if (self->is_check_open) {
        uv_close((uv_handle_t *)&self->check, NULL);
        uv_close((uv_handle_t *)&self->idle, NULL);
        self->is_check_open = false;
    }
}
