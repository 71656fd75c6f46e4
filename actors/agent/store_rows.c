#include <stdio.h>
#include <string.h>

#include "actors/agent/store.h"
#include "actors/agent/store_stmt.h"
#include "bus/base/cleanup.h"

/* Bindings fail only for a wrong index or no memory; the step then says so. */
static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static void bind_span(sqlite3_stmt *stmt, int at, struct span text)
{
    if (text.len) {
        (void)sqlite3_bind_text64(stmt, at, text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
    } else {
        (void)sqlite3_bind_null(stmt, at);
    }
}

static void bind_int(sqlite3_stmt *stmt, int at, int64_t value)
{
    (void)sqlite3_bind_int64(stmt, at, value);
}

static void column_copy(sqlite3_stmt *stmt, int at, char *out, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(stmt, at);

    (void)snprintf(out, size, "%s", text ? text : "");
}

static struct span column_span(sqlite3_stmt *stmt, int at)
{
    const void *bytes = sqlite3_column_blob(stmt, at);

    return (struct span){ bytes, (size_t)sqlite3_column_bytes(stmt, at) };
}

/* The next row; STORE_E_ABSENT behind the last one. */
static int row_step(struct store *self, sqlite3_stmt *stmt)
{
    int step = sqlite3_step(stmt);
    int rc = store_result_sort(self, step);

    return rc ? rc : step == SQLITE_DONE ? STORE_E_ABSENT : 0;
}

/* The number that a counting statement yields. */
static int count_take(struct store *self, sqlite3_stmt *stmt, uint32_t *ret_n)
{
    int rc = store_result_sort(self, sqlite3_step(stmt));

    if (!rc) {
        *ret_n = (uint32_t)sqlite3_column_int64(stmt, 0);
    }
    return rc;
}

/* --- sessions ------------------------------------------------------------------------------ */

static void session_read(sqlite3_stmt *stmt, struct store_session *session)
{
    session->n = sqlite3_column_int64(stmt, 0);
    column_copy(stmt, 1, session->key, sizeof(session->key));
    column_copy(stmt, 2, session->id, sizeof(session->id));
    column_copy(stmt, 3, session->label, sizeof(session->label));
    column_copy(stmt, 4, session->channel, sizeof(session->channel));
    column_copy(stmt, 5, session->provider, sizeof(session->provider));
    column_copy(stmt, 6, session->model, sizeof(session->model));
    session->status = (enum store_session_status)sqlite3_column_int(stmt, 7);
    session->created_ms = sqlite3_column_int64(stmt, 8);
    session->updated_ms = sqlite3_column_int64(stmt, 9);
    session->started_ms = sqlite3_column_int64(stmt, 10);
    session->ended_ms = sqlite3_column_int64(stmt, 11);
    session->messages_n = (uint32_t)sqlite3_column_int64(stmt, 12);
    session->is_last_aborted = sqlite3_column_int(stmt, 13) != 0;
    session->input_tokens = (uint64_t)sqlite3_column_int64(stmt, 14);
    session->output_tokens = (uint64_t)sqlite3_column_int64(stmt, 15);
    session->total_tokens = (uint64_t)sqlite3_column_int64(stmt, 16);
}

static int session_step(struct store *self, sqlite3_stmt *stmt, struct store_session *ret_session)
{
    int rc = row_step(self, stmt);

    if (!rc) {
        session_read(stmt, ret_session);
    }
    return rc;
}

int store_session_get(struct store *self, struct span key, struct store_session *ret_session)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_SESSION_GET, &stmt);

    if (rc) {
        return rc;
    }
    bind_span(stmt, 1, key);
    return session_step(self, stmt, ret_session);
}

int store_session_get_n(struct store *self, int64_t n, struct store_session *ret_session)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_SESSION_GET_N, &stmt);

    if (rc) {
        return rc;
    }
    bind_int(stmt, 1, n);
    return session_step(self, stmt, ret_session);
}

static void session_bind(sqlite3_stmt *stmt, const struct store_session *session)
{
    bind_text(stmt, 2, session->key);
    bind_text(stmt, 3, session->id);
    bind_text(stmt, 4, session->label);
    bind_text(stmt, 5, session->channel);
    bind_text(stmt, 6, session->provider);
    bind_text(stmt, 7, session->model);
    bind_int(stmt, 8, session->status);
    bind_int(stmt, 9, session->created_ms);
    bind_int(stmt, 10, session->updated_ms);
    bind_int(stmt, 11, session->started_ms);
    bind_int(stmt, 12, session->ended_ms);
    bind_int(stmt, 13, session->messages_n);
    bind_int(stmt, 14, session->is_last_aborted);
    bind_int(stmt, 15, (int64_t)session->input_tokens);
    bind_int(stmt, 16, (int64_t)session->output_tokens);
    bind_int(stmt, 17, (int64_t)session->total_tokens);
}

int store_session_put(struct store *self, struct store_session *session)
{
    sqlite3_stmt *stmt;
    int rc = store_write_get(self, session->n ? STMT_SESSION_UPDATE : STMT_SESSION_INSERT, &stmt);

    if (rc) {
        return rc;
    }
    if (session->n) {
        bind_int(stmt, 1, session->n);
    }
    session_bind(stmt, session);
    rc = store_write_run(self, stmt);
    if (!rc && !session->n) {
        session->n = sqlite3_last_insert_rowid(self->db);
    }
    return rc;
}

int store_sessions_count(struct store *self, uint32_t *ret_n)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_SESSIONS_COUNT, &stmt);

    return rc ? rc : count_take(self, stmt, ret_n);
}

static void filter_bind(sqlite3_stmt *stmt, const struct store_filter *filter)
{
    bind_int(stmt, 1, filter->updated_min_ms);
    bind_span(stmt, 2, filter->search);
    bind_span(stmt, 3, filter->label);
    bind_span(stmt, 4, filter->key);
}

static int matches_count(struct store *self, const struct store_filter *filter, uint32_t *ret_total)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_SESSIONS_MATCH_COUNT, &stmt);

    if (rc) {
        return rc;
    }
    filter_bind(stmt, filter);
    return count_take(self, stmt, ret_total);
}

int store_sessions_list(struct store *self, const struct store_filter *filter, store_on_session on, void *arg,
                        uint32_t *ret_total)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    struct store_session session;
    int rc = matches_count(self, filter, ret_total);

    if (!rc) {
        rc = store_stmt_get(self, STMT_SESSIONS_LIST, &stmt);
    }
    if (rc) {
        return rc;
    }
    filter_bind(stmt, filter);
    bind_int(stmt, 5, filter->limit);
    for (;;) {
        rc = session_step(self, stmt, &session);
        if (rc) {
            return rc == STORE_E_ABSENT ? 0 : rc;
        }
        rc = on(arg, &session);
        if (rc) {
            return rc;
        }
    }
}

/* --- messages ------------------------------------------------------------------------------- */

int store_message_add(struct store *self, int64_t session_n, const struct store_message *message)
{
    sqlite3_stmt *stmt;
    int rc = store_write_get(self, STMT_MESSAGE_INSERT, &stmt);

    if (rc) {
        return rc;
    }
    bind_int(stmt, 1, store_place(session_n, message->seq));
    bind_span(stmt, 2, message->id);
    bind_int(stmt, 3, message->run_n);
    bind_int(stmt, 4, message->ts_ms);
    (void)sqlite3_bind_blob64(stmt, 5, message->body.ptr, message->body.len, SQLITE_STATIC);
    return store_write_run(self, stmt);
}

int store_messages_read(struct store *self, int64_t session_n, uint32_t seq_max, store_on_message on, void *arg)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_MESSAGES_READ, &stmt);

    if (rc) {
        return rc;
    }
    bind_int(stmt, 1, store_place(session_n, 0));
    bind_int(stmt, 2, store_place(session_n, seq_max));
    for (;;) {
        struct store_message message;

        rc = row_step(self, stmt);
        if (rc) {
            return rc == STORE_E_ABSENT ? 0 : rc;
        }
        message.seq = (uint32_t)(sqlite3_column_int64(stmt, 0) & UINT32_MAX);
        message.id = column_span(stmt, 1);
        message.run_n = sqlite3_column_int64(stmt, 2);
        message.ts_ms = sqlite3_column_int64(stmt, 3);
        message.body = column_span(stmt, 4);
        if (on(arg, &message)) {
            return 0;
        }
    }
}

/* --- runs ------------------------------------------------------------------------------------ */

static void run_read(sqlite3_stmt *stmt, struct store_run *run)
{
    run->n = sqlite3_column_int64(stmt, 0);
    column_copy(stmt, 1, run->id, sizeof(run->id));
    run->session_n = sqlite3_column_int64(stmt, 2);
    run->kind = (enum store_run_kind)sqlite3_column_int(stmt, 3);
    run->state = (enum store_run_state)sqlite3_column_int(stmt, 4);
    run->attempts = (uint32_t)sqlite3_column_int64(stmt, 5);
    run->created_ms = sqlite3_column_int64(stmt, 6);
    run->started_ms = sqlite3_column_int64(stmt, 7);
    run->ended_ms = sqlite3_column_int64(stmt, 8);
    run->message_seq = (uint32_t)sqlite3_column_int64(stmt, 9);
    run->reply_seq = (uint32_t)sqlite3_column_int64(stmt, 10);
    run->timeout_ms = (uint32_t)sqlite3_column_int64(stmt, 11);
    column_copy(stmt, 12, run->model, sizeof(run->model));
    column_copy(stmt, 13, run->stop_reason, sizeof(run->stop_reason));
    column_copy(stmt, 14, run->error, sizeof(run->error));
}

int store_run_put(struct store *self, struct store_run *run)
{
    sqlite3_stmt *stmt;
    int rc = store_write_get(self, run->n ? STMT_RUN_UPDATE : STMT_RUN_INSERT, &stmt);

    if (rc) {
        return rc;
    }
    if (run->n) {
        bind_int(stmt, 1, run->n);
    }
    bind_text(stmt, 2, run->id);
    bind_int(stmt, 3, run->session_n);
    bind_int(stmt, 4, run->kind);
    bind_int(stmt, 5, run->state);
    bind_int(stmt, 6, run->attempts);
    bind_int(stmt, 7, run->created_ms);
    bind_int(stmt, 8, run->started_ms);
    bind_int(stmt, 9, run->ended_ms);
    bind_int(stmt, 10, run->message_seq);
    bind_int(stmt, 11, run->reply_seq);
    bind_int(stmt, 12, run->timeout_ms);
    bind_text(stmt, 13, run->model);
    bind_text(stmt, 14, run->stop_reason);
    bind_text(stmt, 15, run->error);
    rc = store_write_run(self, stmt);
    if (!rc && !run->n) {
        run->n = sqlite3_last_insert_rowid(self->db);
    }
    return rc;
}

bool store_run_is_cut(const struct store_run *run)
{
    return run->state == STORE_RUN_ERROR && strcmp(run->stop_reason, STORE_STOP_RESTART) == 0;
}

static int run_step(struct store *self, sqlite3_stmt *stmt, struct store_run *ret_run)
{
    int rc = row_step(self, stmt);

    if (!rc) {
        run_read(stmt, ret_run);
    }
    return rc;
}

int store_run_get(struct store *self, struct span id, struct store_run *ret_run)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_RUN_GET, &stmt);

    if (rc) {
        return rc;
    }
    bind_span(stmt, 1, id);
    return run_step(self, stmt, ret_run);
}

int store_runs_open(struct store *self, store_on_run on, void *arg)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    struct store_run run;
    int rc = store_stmt_get(self, STMT_RUNS_OPEN, &stmt);

    while (!rc) {
        rc = run_step(self, stmt, &run);
        if (!rc) {
            rc = on(arg, &run);
        }
    }
    return rc == STORE_E_ABSENT ? 0 : rc;
}

int store_runs_prune(struct store *self, int64_t ended_max_ms)
{
    sqlite3_stmt *stmt;
    int rc = store_write_get(self, STMT_RUNS_PRUNE, &stmt);

    if (rc) {
        return rc;
    }
    bind_int(stmt, 1, ended_max_ms);
    return store_write_run(self, stmt);
}

const char *store_run_state_name(enum store_run_state state)
{
    static const char *const names[] = { "queued", "started", "done", "error", "aborted" };

    return (size_t)state < ARRAY_LEN(names) ? names[state] : "error";
}

const char *store_session_status_name(enum store_session_status status)
{
    static const char *const names[] = { "", "running", "done", "failed", "killed" };

    return (size_t)status < ARRAY_LEN(names) ? names[status] : "";
}
