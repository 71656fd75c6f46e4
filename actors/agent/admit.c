#include <stdio.h>
#include <string.h>

#include "actors/agent/agent_state.h"
#include "actors/agent/ids.h"
#include "actors/agent/transcript.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"

static void copy(char *out, size_t size, struct span text)
{
    (void)snprintf(out, size, "%.*s", SPAN_FMT(text));
}

/* 0, an outcome of admit, or a fault. */
static int fail_sort(struct agent *self, int rc)
{
    rc = batch_fail(self, rc);
    return rc < 0 ? rc : ADMIT_E_STORAGE;
}

/* The run of this key, if there was one. 0: there was none. */
static int repeat_find(struct agent *self, struct span id, struct run **ret_run, struct store_run *ret_ended)
{
    int rc;

    *ret_run = book_run_find(&self->book, id);
    if (*ret_run) {
        return ADMIT_E_REPEAT;
    }
    rc = store_run_get(&self->store, id, ret_ended);
    if (rc == STORE_E_ABSENT) {
        return 0;
    }
    return rc ? fail_sort(self, rc) : ADMIT_E_ENDED;
}

/* The session as it stands in memory or in the store, or a new one. */
static int session_load(struct agent *self, const struct question *question, struct session *session,
                        struct store_session *ret_row)
{
    int rc;

    if (session) {
        *ret_row = session->row;
        return 0;
    }
    rc = store_session_get(&self->store, question->session_key, ret_row);
    if (rc == STORE_E_ABSENT) {
        *ret_row = (struct store_session){ .created_ms = clock_wall_ms() };
        copy(ret_row->key, sizeof(ret_row->key), question->session_key);
        ids_uuid(ret_row->id);
        return 0;
    }
    return rc;
}

/* A session that begins with what was said up to some run in another one. All of it is part of the batch. */
static int branch_load(struct agent *self, const struct question *question, struct store_session *ret_row)
{
    struct store_session origin;
    uint64_t bytes = 0;
    int rc = store_session_get_n(&self->store, question->branch->session_n, &origin);

    if (rc) {
        return rc;
    }
    *ret_row = (struct store_session){ .created_ms = clock_wall_ms() };
    copy(ret_row->key, sizeof(ret_row->key), question->session_key);
    copy(ret_row->channel, sizeof(ret_row->channel), span_from(origin.channel));
    copy(ret_row->provider, sizeof(ret_row->provider), span_from(origin.provider));
    copy(ret_row->model, sizeof(ret_row->model), span_from(origin.model));
    ids_uuid(ret_row->id);
    rc = store_branch_measure(&self->store, question->branch, UINT32_MAX, &ret_row->messages_n, &bytes);
    rc = rc ? rc : store_session_put(&self->store, ret_row);
    rc = rc ? rc : store_branch_copy(&self->store, question->branch, ret_row->n);
    self->sessions_n += !rc;
    return rc;
}

/* Sessions without a run before it start at once; so the start is in the same commit. */
static bool starts_at_once(const struct agent *self, const struct session *session)
{
    return self->has_settings && !session && self->book.active_n + self->book.waiting_n < self->settings.concurrent_max;
}

static void run_row_make(const struct question *question, const struct store_session *session, bool is_started,
                         int64_t now_ms, struct store_run *row)
{
    *row = (struct store_run){
        .session_n = session->n,
        .kind = question->kind,
        .state = is_started ? STORE_RUN_STARTED : STORE_RUN_QUEUED,
        .attempts = is_started,
        .created_ms = now_ms,
        .started_ms = is_started ? now_ms : 0,
        .message_seq = session->messages_n,
        .timeout_ms = question->timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)question->timeout_ms,
    };
    copy(row->id, sizeof(row->id), question->id);
    copy(row->model, sizeof(row->model), question->model);
}

/* What stands in the scratch becomes message `seq`, and goes into `said` with its new id. */
static int message_write(struct agent *self, const struct store_run *row, uint32_t seq, int64_t now_ms,
                         struct pack *said)
{
    char id[IDS_SHORT_MAX];
    struct store_message message = { .seq = seq, .run_n = row->n, .ts_ms = now_ms, .body = pack_span(&self->scratch) };

    if (pack_error(&self->scratch)) {
        return pack_error(&self->scratch);
    }
    ids_short(id);
    message.id = span_from(id);
    pack_str(said, message.id);
    pack_raw(said, message.body);
    return store_message_add(&self->store, row->session_n, &message);
}

static int messages_write(struct agent *self, const struct question *question, const struct store_run *row,
                          int64_t now_ms, struct pack *said)
{
    struct value_iter it = value_iter(question->messages);
    uint32_t count = value_count(question->messages);
    struct span key;
    struct span message;
    int rc = 0;

    pack_array_begin(said);
    while (!rc && value_next(&it, &key, &message)) {
        pack_reset(&self->scratch);
        rc = transcript_message_pack(&self->scratch, question->messages, message, now_ms);
        count--;
        rc = rc ? rc : message_write(self, row, row->message_seq - count, now_ms, said);
    }
    if (!question->messages.len) {
        pack_reset(&self->scratch);
        transcript_question_pack(&self->scratch, question->text, now_ms);
        rc = message_write(self, row, row->message_seq, now_ms, said);
    }
    pack_array_end(said);
    return rc ? rc : pack_error(said);
}

static int rows_write(struct agent *self, const struct question *question, struct session *session,
                      struct store_session *session_row, struct store_run *row, struct pack *said)
{
    int64_t now_ms = clock_wall_ms();
    bool is_started = starts_at_once(self, session);
    bool is_fresh = !session_row->n;
    int rc;

    session_row->messages_n += question->messages.len ? value_count(question->messages) : 1;
    session_row->updated_ms = now_ms;
    if (question->channel.len) {
        copy(session_row->channel, sizeof(session_row->channel), question->channel);
    }
    if (is_started) {
        session_row->status = STORE_SESSION_RUNNING;
        session_row->started_ms = now_ms;
        session_row->ended_ms = 0;
    }
    rc = store_session_put(&self->store, session_row);
    if (rc) {
        return rc;
    }
    run_row_make(question, session_row, is_started, now_ms, row);
    rc = store_run_put(&self->store, row);
    if (!rc) {
        rc = messages_write(self, question, row, now_ms, said);
    }
    self->sessions_n += !rc && is_fresh;
    return rc;
}

/* A completion that a restart ended runs again, for what its session has of its question; nothing is added there. */
static int cut_admit(struct agent *self, const struct question *question, const struct store_run *ended,
                     struct run **ret_run)
{
    struct store_run row = *ended;
    struct store_session session_row;
    struct session *session;
    int rc = store_session_get_n(&self->store, row.session_n, &session_row);

    if (rc) {
        return fail_sort(self, rc);
    }
    session = book_session_find(&self->book, span_from(session_row.key));
    if (!book_has_room(&self->book, session)) {
        return ADMIT_E_FULL;
    }
    row.state = STORE_RUN_QUEUED;
    row.ended_ms = 0;
    row.stop_reason[0] = '\0';
    row.error[0] = '\0';
    rc = store_run_put(&self->store, &row);
    if (rc) {
        return fail_sort(self, rc);
    }
    session = session ? session : book_session_add(&self->book, &session_row);
    *ret_run = book_run_add(&self->book, session, &row);
    (*ret_run)->trace = question->trace;
    batch_touch(self, *ret_run);
    return 0;
}

int admit(struct agent *self, const struct question *question, struct run **ret_run, struct store_run *ret_ended)
{
    struct session *session = book_session_find(&self->book, question->session_key);
    struct store_session session_row;
    struct store_run row;
    CLEANUP(pack_deinit) struct pack said;
    int rc = repeat_find(self, question->id, ret_run, ret_ended);

    pack_init(&said, 0);
    if (rc == ADMIT_E_ENDED && question->kind == STORE_RUN_COMPLETION && store_run_is_cut(ret_ended)) {
        return cut_admit(self, question, ret_ended, ret_run);
    }
    if (rc) {
        return rc;
    }
    if (!book_has_room(&self->book, session)) {
        return ADMIT_E_FULL;
    }
    rc = question->branch ? branch_load(self, question, &session_row)
                          : session_load(self, question, session, &session_row);
    if (!rc) {
        rc = rows_write(self, question, session, &session_row, &row, &said);
    }
    if (rc) {
        return fail_sort(self, rc);
    }
    if (session) {
        session->row = session_row;
    } else {
        session = book_session_add(&self->book, &session_row);
    }
    *ret_run = book_run_add(&self->book, session, &row);
    (*ret_run)->trace = question->trace;
    (*ret_run)->is_new = true;
    (*ret_run)->is_unstored = true;
    if (row.state == STORE_RUN_STARTED) {
        run_start_keep(*ret_run);
    }
    batch_touch(self, *ret_run);
    return text_buf_add(&(*ret_run)->said, pack_span(&said));
}
