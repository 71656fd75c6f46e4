#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/ids.h"
#include "actors/agent/transcript.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/log.h"
#include "bus/value.h"

#define PRUNE_EVERY 1024U
#define PRUNE_AGE_MS (int64_t)(7LL * 86400000)

static void copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

/* --- the end ------------------------------------------------------------------------------ */

static int answer_write(struct agent *self, struct run *run)
{
    struct store_message message = { .seq = run->session->row.messages_n + 1,
                                     .run_n = run->row.n,
                                     .ts_ms = run->row.ended_ms,
                                     .id = span_from(run->answer_id),
                                     .body = { run->answer.data, run->answer.len } };
    int rc = store_message_add(&self->store, run->row.session_n, &message);

    if (!rc) {
        run->session->row.messages_n = message.seq;
        run->row.reply_seq = message.seq;
    }
    return rc;
}

static enum store_session_status session_status(const struct run *run)
{
    switch (run->row.state) {
    case STORE_RUN_DONE:
        return STORE_SESSION_DONE;
    case STORE_RUN_ABORTED:
        return STORE_SESSION_KILLED;
    default:
        return STORE_SESSION_FAILED;
    }
}

static void session_account(const struct run *run, struct store_session *row)
{
    row->status = session_status(run);
    row->updated_ms = run->row.ended_ms;
    row->started_ms = run->row.started_ms ? run->row.started_ms : run->row.created_ms;
    row->ended_ms = run->row.ended_ms;
    row->is_last_aborted = run->row.state == STORE_RUN_ABORTED;
    if (run->provider[0]) {
        copy(row->provider, sizeof(row->provider), run->provider);
        copy(row->model, sizeof(row->model), run->model);
    }
    if (run->usage.total) {
        row->input_tokens += run->usage.input;
        row->output_tokens += run->usage.output;
        row->total_tokens = run->usage.total; /* what the newest turn had in its context */
    }
}

static int talk_write(struct agent *self, struct run *run)
{
    int rc = run->answer.len ? answer_write(self, run) : 0;

    if (!rc) {
        rc = store_run_put(&self->store, &run->row);
    }
    if (!rc) {
        session_account(run, &run->session->row);
        rc = store_session_put(&self->store, &run->session->row);
    }
    return rc;
}

static struct span notes_key(const struct run *run)
{
    return run->beat ? beat_notes_key(run->beat) : span_from(run->session->row.key);
}

/* What it was told need not be told again. */
static int notes_forget(struct agent *self, const struct run *run)
{
    if (run->row.state != STORE_RUN_DONE || !run->notes_number) {
        return 0;
    }
    notes_drop(&self->notes, notes_key(run), run->notes_number);
    return store_notes_read(&self->store, notes_key(run), run->notes_number, run->row.ended_ms);
}

static int rows_write(struct agent *self, struct run *run)
{
    int rc = run->beat ? beat_rows_write(self, run) : talk_write(self, run);

    rc = rc ? rc : notes_forget(self, run);
    if (!rc && ++self->ended_n % PRUNE_EVERY == 0) {
        rc = store_runs_prune(&self->store, run->row.ended_ms - PRUNE_AGE_MS);
    }
    return rc;
}

int turn_save(struct agent *self, struct run *run)
{
    int rc = rows_write(self, run);

    if (!rc) {
        batch_touch(self, run);
        return 0;
    }
    return batch_fail(self, rc);
}

static void held_set(struct agent *self, struct run *run, bool is_held)
{
    self->held_n += is_held && !run->is_held;
    self->held_n -= !is_held && run->is_held;
    run->is_held = is_held;
}

static int answer_make(struct agent *self, struct run *run)
{
    pack_reset(&self->scratch);
    transcript_answer_pack(&self->scratch, run, run->row.ended_ms);
    ids_short(run->answer_id);
    return pack_error(&self->scratch) ? pack_error(&self->scratch)
                                      : text_buf_add(&run->answer, pack_span(&self->scratch));
}

/* The run has come to its end; how is set in its row and beside it. 0 or a fault. */
static int run_end(struct agent *self, struct run *run)
{
    int rc;

    provider_turn_cancel(&run->turn);
    held_set(self, run, false);
    numbers_end(&self->numbers, run);
    book_phase_set(&self->book, run, RUN_ENDING);
    run->row.ended_ms = clock_wall_ms();
    if (run->beat) {
        return beat_end(self, run);
    }
    if (!store_run_is_cut(&run->row)) {
        rc = answer_make(self, run);
        if (rc) {
            return rc;
        }
    }
    rc = turn_save(self, run);
    return rc < 0 ? rc : 0; /* everyone has been told of an outcome */
}

static int run_fail(struct agent *self, struct run *run, enum provider_outcome outcome, const char *text)
{
    run->outcome = outcome;
    run->row.state = STORE_RUN_ERROR;
    copy(run->row.error, sizeof(run->row.error), text);
    self->last_error_ms = clock_wall_ms();
    copy(self->last_error, sizeof(self->last_error), text);
    /* Without the run's id, so that the log counts what fails again and again. */
    log_warning("run_failed", "agent=%s model=%s problem=\"%s\"", self->id, run->model, run->row.error);
    return run_end(self, run);
}

int turn_abort(struct agent *self, struct run *run, const char *reason)
{
    if (run->phase == RUN_ENDING) {
        return 0;
    }
    run->row.state = STORE_RUN_ABORTED;
    copy(run->row.stop_reason, sizeof(run->row.stop_reason), reason);
    return run_end(self, run);
}

/* --- what the provider says ------------------------------------------------------------------- */

static void on_text(void *arg, struct span text)
{
    struct run *run = arg;
    struct agent *self = run->owner;

    if (run->text.len == 0) {
        numbers_first(&self->numbers, run);
    }
    if (text_buf_add(&run->text, text)) {
        (void)actor_fault(self->actor, FAULT(-ENOMEM)); /* the loop ends after this turn */
        return;
    }
    batch_touch_text(self, run);
}

static void on_tool_call(void *arg, const struct tool_call_piece *piece)
{
    struct run *run = arg;
    struct agent *self = run->owner;
    int rc = tool_calls_add(&run->calls, piece);

    if (rc < 0) {
        (void)actor_fault(self->actor, FAULT(rc)); /* the loop ends after this turn */
        return;
    }
    run->has_lost_calls |= rc == TOOL_CALLS_E_FULL;
    batch_touch_text(self, run);
}

static void on_end(void *arg, const struct provider_end *end)
{
    struct run *run = arg;
    struct agent *self = run->owner;
    int rc;

    run->turn = NULL; /* gone by itself */
    run->usage = end->usage;
    run->is_retryable = end->is_retryable;
    run->retry_after_ms = end->retry_after_ms;
    copy(run->response_id, sizeof(run->response_id), end->response_id);
    if (end->outcome == PROVIDER_OK && run->has_lost_calls) {
        rc = run_fail(self, run, PROVIDER_E_OVERSIZED, "the model calls more than 64 tools at once");
    } else if (end->outcome == PROVIDER_OK) {
        const char *reason = run->calls.n ? "tool_calls" : end->finish_reason;

        run->row.state = STORE_RUN_DONE;
        copy(run->finish_reason, sizeof(run->finish_reason), reason);
        copy(run->row.stop_reason, sizeof(run->row.stop_reason), reason);
        self->last_ok_ms = clock_wall_ms();
        rc = run_end(self, run);
    } else {
        rc = run_fail(self, run, end->outcome, end->text);
    }
    if (rc < 0) {
        (void)actor_fault(self->actor, rc); /* the loop ends after this turn */
    }
}

static const struct provider_events turn_events = { .on_text = on_text,
                                                    .on_tool_call = on_tool_call,
                                                    .on_end = on_end };

/* Does anything of the agent wait for this run to be over: a place, its session, a heartbeat? */
static bool is_in_the_way(const struct agent *self, const struct run *run)
{
    bool is_full = self->book.active_n >= self->settings.concurrent_max && self->book.ready_first;

    return is_full || run->session->runs_n > 1 || self->beats;
}

/*
 * One who reads slowly holds the provider back, but nobody else: as soon as another one waits
 * for the place, the session or the same text, the run goes on, and its text waits here for
 * the slow one instead. A text has its limit, and so has what waits behind ended runs.
 */
void turn_flow(struct run *run)
{
    struct agent *self = run->owner;
    bool is_to_wait = false;
    bool has_others = is_in_the_way(self, run);
    /* What it says at once would pile up until the run is stored, and come in one piece. */
    bool is_early = run->is_instant && (run->is_written || run->place == RUN_STORED);

    for (struct asker *asker = run->askers; asker; asker = asker->next) {
        bool is_behind = asker->is_streaming && asker->is_starved;

        is_to_wait |= is_behind;
        has_others |= !is_behind;
    }
    is_to_wait = (is_to_wait && !has_others) || is_early;
    if (run->turn && run->is_held != is_to_wait) {
        held_set(self, run, is_to_wait);
        provider_turn_pause(run->turn, is_to_wait); /* the turn may be gone from here on */
    }
}

static void held_look(struct agent *self)
{
    for (struct run *run = zhashx_first(self->book.runs); run; run = zhashx_next(self->book.runs)) {
        if (run->is_held) {
            turn_flow(run);
        }
    }
}

/* --- the start ---------------------------------------------------------------------------------- */

/* A conversation that the asker holds itself, behind our own system prompt. */
static int question_pack(const struct agent *self, const struct run *run, struct pack *out)
{
    struct value_iter it = value_iter((struct span){ run->question.data, run->question.len });
    struct span key;
    struct span message;

    pack_array_begin(out);
    if (self->settings.system_prompt) {
        pack_map_begin(out);
        pack_kv_text(out, "role", "system");
        pack_kv_text(out, "content", self->settings.system_prompt);
        pack_map_end(out);
    }
    while (value_next(&it, &key, &message)) {
        pack_raw(out, message);
    }
    pack_array_end(out);
    return 0;
}

static uint32_t total_ms(const struct agent *self, const struct run *run)
{
    uint32_t own_ms = run->row.timeout_ms;

    return own_ms && own_ms < self->settings.total_ms ? own_ms : self->settings.total_ms;
}

static int provider_ask(struct agent *self, struct run *run, const struct provider_setup *setup)
{
    CLEANUP(pack_deinit) struct pack messages;
    CLEANUP(text_buf_deinit) struct text_buf notes = { 0 };
    struct transcript_context context = { .seq_max = run->session->row.messages_n,
                                          .system_prompts = { self->settings.system_prompt, run->system_prompt },
                                          .question = { run->question.data, run->question.len } };
    struct provider_request request = { .model = run->model,
                                        .options = { run->options.data, run->options.len },
                                        .total_ms = total_ms(self, run) };
    int rc;

    pack_init(&messages, 0);
    if (run->has_own_context) {
        rc = question_pack(self, run, &messages);
    } else {
        rc = notes_read(&self->notes, notes_key(run), &notes, &run->notes_number);
        context.notes = (struct span){ notes.data, notes.len };
        rc = rc          ? rc
             : run->beat ? beat_messages_pack(self, run, &context, &messages)
                         : transcript_context_pack(&self->store, &run->row, &context, &messages);
    }
    if (!rc) {
        rc = pack_error(&messages);
    }
    if (rc > 0) {
        rc = batch_fail(self, rc);
        return rc < 0 ? rc
                      : run_fail(self, run, PROVIDER_E_SETUP, "the conversation could not be read from the database");
    }
    if (rc) {
        return rc;
    }
    request.messages = pack_span(&messages);
    run->asked_ns = clock_mono_ns();
    return provider_turn_start(&self->engine, setup, &request, &turn_events, run, &run->turn);
}

/* The rows of a run that did not start in the commit that brought it. */
static int started_write(struct agent *self, struct run *run)
{
    struct store_session *session = &run->session->row;
    int rc;

    run->row.state = STORE_RUN_STARTED;
    run->row.started_ms = clock_wall_ms();
    run->row.attempts++;
    session->status = STORE_SESSION_RUNNING;
    session->started_ms = run->row.started_ms;
    session->ended_ms = 0;
    run_start_keep(run);
    rc = store_run_put(&self->store, &run->row);
    return rc ? rc : store_session_put(&self->store, session);
}

static int run_start(struct agent *self, struct run *run)
{
    const struct provider_setup *setup = NULL;
    char problem[PROVIDER_TEXT_MAX] = "";
    int rc = 0;

    book_phase_set(&self->book, run, RUN_ACTIVE);
    batch_touch(self, run);
    if (!run->beat && (!run->is_unstored || run->row.state != STORE_RUN_STARTED)) {
        rc = started_write(self, run);
    }
    if (rc) {
        bool is_gone = run->is_unstored;

        rc = batch_fail(self, rc); /* a new run is gone from here on; another starts again later */
        if (rc > 0 && !is_gone) {
            book_phase_set(&self->book, run, RUN_WAITING);
        }
        return rc;
    }
    rc = settings_resolve(&self->settings, span_from(run->row.model), &setup, run->model, problem);
    if (rc) {
        return run_fail(self, run, run->row.model[0] ? PROVIDER_E_MODEL : PROVIDER_E_SETUP, problem);
    }
    copy(run->provider, sizeof(run->provider), setup->id);
    if (setup->problem[0]) {
        return run_fail(self, run, PROVIDER_E_SETUP, setup->problem);
    }
    rc = provider_engine_open(&self->engine, setup->api, problem);
    if (rc) {
        return rc < 0 ? rc : run_fail(self, run, PROVIDER_E_SETUP, problem);
    }
    rc = provider_ask(self, run, setup);
    if (!rc && run->turn && !run->beat && setup->api == PROVIDER_API_ECHO) {
        run->is_instant = true;
        turn_flow(run);
    }
    return rc;
}

int turn_start_ready(struct agent *self)
{
    struct run *run;
    int beats_rc;

    if (!self->has_settings || self->is_stopping || self->unsaved_due_ms) {
        return 0;
    }
    beats_rc = beats_start_ready(self);
    if (beats_rc) {
        return beats_rc;
    }
    while (self->book.active_n < self->settings.concurrent_max && (run = book_run_next(&self->book))) {
        int rc = run_start(self, run);

        if (rc < 0) {
            return rc;
        }
        if (rc > 0) {
            break; /* the database does not take writes now */
        }
    }
    if (self->held_n) {
        held_look(self);
    }
    provider_engine_kick(&self->engine);
    return 0;
}

/* --- after a crash --------------------------------------------------------------------------------- */

struct resumed {
    struct store_run *rows;
    size_t rows_n;
    size_t cap;
};

static void resumed_deinit(struct resumed *self)
{
    free(self->rows);
}

static int resumed_on_run(void *arg, const struct store_run *row)
{
    struct resumed *self = arg;

    if (self->rows_n == self->cap) {
        size_t cap = self->cap ? self->cap * 2 : 16;
        struct store_run *rows = reallocarray(self->rows, cap, sizeof(*rows));

        if (!rows) {
            return FAULT(-ENOMEM);
        }
        self->rows = rows;
        self->cap = cap;
    }
    self->rows[self->rows_n++] = *row;
    return 0;
}

int turn_cut(struct agent *self, struct run *run)
{
    if (run->phase == RUN_ENDING) {
        return 0;
    }
    run->is_retryable = true;
    copy(run->row.stop_reason, sizeof(run->row.stop_reason), STORE_STOP_RESTART);
    return run_fail(self, run, PROVIDER_E_CUT,
                    "the gateway restarted while this ran: ask again with the same idempotency key");
}

static int run_resume(struct agent *self, const struct store_run *row)
{
    struct store_session session_row;
    struct session *session;
    struct run *run;
    int rc = store_session_get_n(&self->store, row->session_n, &session_row);

    if (rc) {
        return FAULT_FOLD(rc);
    }
    session = book_session_find(&self->book, span_from(session_row.key));
    if (!session) {
        session = book_session_add(&self->book, &session_row);
    }
    run = book_run_add(&self->book, session, row);
    batch_touch_text(self, run);
    if (row->state == STORE_RUN_STARTED && row->attempts >= AGENT_ATTEMPTS_MAX) {
        return run_fail(self, run, PROVIDER_E_SETUP, "quarantined: the gateway ended three times while this ran");
    }
    return row->kind == STORE_RUN_COMPLETION ? turn_cut(self, run) : 0;
}

int turn_resume(struct agent *self)
{
    CLEANUP(resumed_deinit) struct resumed resumed = { 0 };
    int rc = store_runs_open(&self->store, resumed_on_run, &resumed);

    for (size_t i = 0; !rc && i < resumed.rows_n; i++) {
        rc = run_resume(self, &resumed.rows[i]);
    }
    return FAULT_FOLD(rc);
}

int turn_park(struct agent *self)
{
    int rc = 0;

    for (struct run *run = zhashx_first(self->book.runs); run && !rc; run = zhashx_next(self->book.runs)) {
        provider_turn_cancel(&run->turn);
        if (run->phase == RUN_ACTIVE && run->row.attempts && !run->beat) {
            run->row.attempts--;
            rc = store_run_put(&self->store, &run->row);
        }
    }
    return rc ? rc : store_batch_commit(&self->store);
}
