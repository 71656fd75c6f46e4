#include <stdio.h>
#include <stdlib.h>

#include "actors/agent/agent_state.h"
#include "bus/base/mem.h"
#include "schema_gen.h"

#define UNSAVED_RETRY_MS 1000

static void ack_free(struct ack *ack)
{
    text_buf_deinit(&ack->body);
    free(ack);
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
    if (self->acks_last) {
        self->acks_last->next = ack;
    } else {
        self->acks_first = ack;
    }
    self->acks_last = ack;
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

void batch_touch(struct agent *self, struct run *run)
{
    batch_due(self);
    if (run->is_touched) {
        return;
    }
    run->is_touched = true;
    run->touched_next = NULL;
    if (self->touched_last) {
        self->touched_last->touched_next = run;
    } else {
        self->touched_first = run;
    }
    self->touched_last = run;
}

void batch_untouch(struct agent *self, struct run *run)
{
    struct run *before = NULL;
    struct run *at = self->touched_first;

    if (!run->is_touched) {
        return;
    }
    while (at != run) {
        before = at;
        at = at->touched_next;
    }
    if (before) {
        before->touched_next = run->touched_next;
    } else {
        self->touched_first = run->touched_next;
    }
    if (self->touched_last == run) {
        self->touched_last = before;
    }
    run->is_touched = false;
}

/* --- the commit ---------------------------------------------------------------------------- */

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

static void acks_send(struct agent *self, bool is_last)
{
    struct ack **at = &self->acks_first;

    while (*at) {
        struct ack *ack = *at;

        if (ack->is_last == is_last) {
            *at = ack->next;
            ack_send(self, ack);
            ack_free(ack);
        } else {
            at = &ack->next;
        }
    }
    if (is_last) {
        self->acks_last = NULL;
    }
}

/* Each run is shown once; what is touched meanwhile belongs to the next turn. */
static void touched_show(struct agent *self)
{
    struct run *run = self->touched_first;

    self->touched_first = NULL;
    self->touched_last = NULL;
    while (run) {
        struct run *next = run->touched_next;

        run->is_touched = false;
        run->touched_next = NULL;
        show_run(self, run); /* `run` may be gone from here on */
        run = next;
    }
}

static void turn_end(struct agent *self)
{
    int rc;

    self->is_due = false;
    rc = turn_start_ready(self);
    if (rc >= 0) {
        rc = store_batch_commit(&self->store);
        rc = rc ? batch_fail(self, rc) : 0;
    }
    if (rc < 0) {
        (void)actor_fault(self->actor, rc); /* the loop ends after this turn */
        return;
    }
    acks_send(self, false);
    touched_show(self);
    acks_send(self, true);
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

int batch_open(struct agent *self)
{
    uv_loop_t *loop = actor_loop(self->actor);

    (void)uv_check_init(loop, &self->check); /* always 0 */
    (void)uv_idle_init(loop, &self->idle);   /* always 0 */
    self->check.data = self;
    self->is_check_open = true;
    return 0;
}

void batch_close(struct agent *self)
{
    while (self->acks_first) {
        struct ack *ack = self->acks_first;

        self->acks_first = ack->next;
        ack_free(ack);
    }
    if (self->is_check_open) {
        uv_close((uv_handle_t *)&self->check, NULL);
        uv_close((uv_handle_t *)&self->idle, NULL);
        self->is_check_open = false;
    }
}

/* --- when it fails ----------------------------------------------------------------------------- */

static void failure_make(struct agent *self, struct failure *failure, char text[FAILURE_MESSAGE_MAX])
{
    int len =
        snprintf(text, FAILURE_MESSAGE_MAX, "nothing was stored: %s (%s)", store_problem(&self->store), self->path);

    *failure = (struct failure){
        .code = FAIL_STORAGE,
        .message = { text, len < FAILURE_MESSAGE_MAX ? (size_t)len : FAILURE_MESSAGE_MAX - 1 },
        .retryable = true,
        .retry_after_ms = UNSAVED_RETRY_MS,
    };
}

static void acks_fail(struct agent *self, const struct failure *failure)
{
    while (self->acks_first) {
        struct ack *ack = self->acks_first;

        self->acks_first = ack->next;
        if (!ack->accepted_ms) {
            (void)actor_token_fail(self->actor, ack->token, failure); /* the asker may be gone */
        }
        ack_free(ack);
    }
    self->acks_last = NULL;
}

static void run_forget(struct agent *self, struct run *run, const struct failure *failure)
{
    provider_turn_cancel(&run->turn);
    while (run->askers) {
        (void)actor_token_fail(self->actor, run->askers->token, failure); /* the asker may be gone */
        run_asker_remove(run, run->askers);
    }
    batch_untouch(self, run);
    book_run_remove(&self->book, run);
}

/* The rows of sessions in memory go back to what is stored, or to that they are not. */
static void sessions_reload(struct agent *self)
{
    for (struct session *session = zhashx_first(self->book.sessions); session;
         session = zhashx_next(self->book.sessions)) {
        struct store_session row;

        int rc = session->row.n ? store_session_get_n(&self->store, session->row.n, &row) : 1;

        if (rc == 0) {
            session->row = row;
        } else if (rc == STORE_E_ABSENT) { /* it began in the batch, and a heartbeat goes on in it */
            session->row.n = 0;
            session->row.messages_n = 0;
        }
    }
}

static void runs_fail(struct agent *self, const struct failure *failure)
{
    zlistx_t *runs = zhashx_values(self->book.runs);

    for (struct run *run = zlistx_first(runs); run; run = zlistx_next(runs)) {
        if (run->is_new) {
            run_forget(self, run, failure);
        } else if (run->phase == RUN_ENDING && !run->is_unsaved) {
            run->is_unsaved = true;
            show_unsaved(self, run);
        }
    }
    zlistx_destroy(&runs);
}

/* Told once, however many ask meanwhile; see batch_probe for its end. */
static void trouble_note(struct agent *self, const char *text)
{
    if (!self->store_trouble[0]) {
        log_error("agent_store_failing",
                  "file=%s problem=\"%s\" fix=\"make room or check the disk; it is tried again "
                  "every second\"",
                  self->path, store_problem(&self->store));
    }
    (void)snprintf(self->store_trouble, sizeof(self->store_trouble), "%s (%.200s)", store_problem(&self->store),
                   self->path);
    actor_status(self->actor, text);
}

int batch_probe(struct agent *self)
{
    int rc = self->store_trouble[0] ? store_probe(&self->store, self->path) : 0;

    if (rc) {
        return rc < 0 ? rc : FAIL_STORAGE;
    }
    if (self->store_trouble[0]) {
        log_info("agent_store_recovered", "file=%s", self->path);
        self->store_trouble[0] = '\0';
    }
    actor_status(self->actor, "");
    return 0;
}

void batch_retry_later(struct agent *self)
{
    self->unsaved_due_ms = uv_now(actor_loop(self->actor)) + UNSAVED_RETRY_MS;
    waits_arm(self);
}

int batch_fail(struct agent *self, int rc)
{
    char text[FAILURE_MESSAGE_MAX];
    struct failure failure;

    if (rc < 0) {
        return rc;
    }
    failure_make(self, &failure, text);
    trouble_note(self, text);
    store_batch_rollback(&self->store);
    acks_fail(self, &failure);
    runs_fail(self, &failure);
    sessions_reload(self);
    (void)ask_notes_load(self);                                  /* what cannot be read now is there in the next life */
    (void)store_sessions_count(&self->store, &self->sessions_n); /* the old count is the better guess */
    batch_retry_later(self);
    return FAIL_STORAGE;
}
