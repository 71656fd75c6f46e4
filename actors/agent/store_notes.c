#include "actors/agent/notes.h"
#include "actors/agent/store.h"
#include "actors/agent/store_stmt.h"
#include "bus/base/cleanup.h"

/* Bindings fail only for a wrong index or no memory; the step then says so. */
static void bind_text(sqlite3_stmt *stmt, int at, struct span text)
{
    (void)sqlite3_bind_text64(stmt, at, text.len ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

int store_note_add(struct store *self, struct span id, const struct note_text *note)
{
    sqlite3_stmt *stmt;
    int rc = store_write_get(self, STMT_NOTE_ADD, &stmt);

    if (rc) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)note->number);
    if (id.len) {
        bind_text(stmt, 2, id);
    }
    bind_text(stmt, 3, note->session_key);
    bind_text(stmt, 4, note->text);
    (void)sqlite3_bind_int(stmt, 5, note->is_trusted);
    (void)sqlite3_bind_int64(stmt, 6, note->at_ms);
    return store_write_run(self, stmt);
}

int store_note_find(struct store *self, struct span id)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_NOTE_FIND, &stmt);
    int step;

    if (rc) {
        return rc;
    }
    bind_text(stmt, 1, id);
    step = sqlite3_step(stmt);
    rc = store_result_sort(self, step);
    return rc ? rc : step == SQLITE_ROW ? 0 : STORE_E_ABSENT;
}

int store_note_drop(struct store *self, uint64_t number)
{
    sqlite3_stmt *stmt;
    int rc = store_write_get(self, STMT_NOTE_DROP, &stmt);

    if (rc) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, (int64_t)number);
    return store_write_run(self, stmt);
}

static int range_write(struct store *self, enum stmt which, struct span session_key, uint64_t number)
{
    sqlite3_stmt *stmt;
    int rc = store_write_get(self, which, &stmt);

    if (rc) {
        return rc;
    }
    bind_text(stmt, 1, session_key);
    (void)sqlite3_bind_int64(stmt, 2, (int64_t)number);
    return store_write_run(self, stmt);
}

int store_notes_read(struct store *self, struct span session_key, uint64_t number, int64_t now_ms)
{
    sqlite3_stmt *stmt;
    int rc = range_write(self, STMT_NOTES_READ, session_key, number);

    rc = rc ? rc : range_write(self, STMT_NOTES_REMEMBER, session_key, number);
    rc = rc ? rc : store_write_get(self, STMT_NOTES_PRUNE, &stmt);
    if (rc) {
        return rc;
    }
    (void)sqlite3_bind_int64(stmt, 1, now_ms - STORE_NOTE_REMEMBERED_MS);
    return store_write_run(self, stmt);
}

static struct span column_span(sqlite3_stmt *stmt, int at)
{
    const void *bytes = sqlite3_column_text(stmt, at);

    return (struct span){ bytes, (size_t)sqlite3_column_bytes(stmt, at) };
}

static int last_read(struct store *self, uint64_t *ret_last)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_NOTES_LAST, &stmt);
    int step;

    if (rc) {
        return rc;
    }
    step = sqlite3_step(stmt);
    *ret_last = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    return store_result_sort(self, step);
}

int store_notes_open(struct store *self, store_on_note on, void *arg, uint64_t *ret_last)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_NOTES_OPEN, &stmt);
    int step = SQLITE_DONE;

    while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        on(arg, &(struct note_text){ .number = (uint64_t)sqlite3_column_int64(stmt, 0),
                                     .is_kept = sqlite3_column_int(stmt, 1) != 0,
                                     .session_key = column_span(stmt, 2),
                                     .text = column_span(stmt, 3),
                                     .is_trusted = sqlite3_column_int(stmt, 4) != 0,
                                     .at_ms = sqlite3_column_int64(stmt, 5) });
    }
    rc = rc ? rc : store_result_sort(self, step);
    return rc ? rc : last_read(self, ret_last);
}
