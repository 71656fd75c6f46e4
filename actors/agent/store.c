#include "actors/agent/store.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "actors/agent/store_stmt.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"

#define PROBE_ROOM ((uint64_t)256 * 1024)
#define APPLICATION_ID 0x4f434c41 /* "OCLA" */
#define BUSY_MS 50                /* an operator's shell may hold a lock for a moment; longer would stall the actor */
#define PRUNE_ROWS "256"

_Static_assert(STMT_N <= STORE_STMTS_MAX, "store: too many statements");

#define SESSION_COLUMNS                                                                                                \
    "n, key, id, label, channel, provider, model, status, created_ms, updated_ms, started_ms, ended_ms, "              \
    "messages_n, is_last_aborted, input_tokens, output_tokens, total_tokens"
#define SESSION_MATCH                                                                                                  \
    "FROM sessions WHERE updated_ms >= ?1 AND (?2 IS NULL OR instr(lower(key), lower(?2)) > 0 OR "                     \
    "instr(lower(label), lower(?2)) > 0 OR instr(lower(id), lower(?2)) > 0) AND (?3 IS NULL OR label = ?3) "           \
    "AND (?4 IS NULL OR key = ?4)"
#define RUN_COLUMNS                                                                                                    \
    "n, id, session_n, kind, state, attempts, created_ms, started_ms, ended_ms, message_seq, reply_seq, "              \
    "timeout_ms, model, stop_reason, error"

static const char *const stmt_texts[STMT_N] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    [STMT_SESSION_GET] = "SELECT " SESSION_COLUMNS " FROM sessions WHERE key = ?1",
    [STMT_SESSION_GET_N] = "SELECT " SESSION_COLUMNS " FROM sessions WHERE n = ?1",
    [STMT_SESSION_INSERT] = "INSERT INTO sessions (" SESSION_COLUMNS ") VALUES "
                            "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    [STMT_SESSION_UPDATE] = "UPDATE sessions SET key = ?2, id = ?3, label = ?4, channel = ?5, provider = ?6, "
                            "model = ?7, status = ?8, created_ms = ?9, updated_ms = ?10, started_ms = ?11, "
                            "ended_ms = ?12, messages_n = ?13, is_last_aborted = ?14, input_tokens = ?15, "
                            "output_tokens = ?16, total_tokens = ?17 WHERE n = ?1",
    [STMT_SESSIONS_COUNT] = "SELECT count(*) FROM sessions",
    [STMT_SESSIONS_LIST] = "SELECT " SESSION_COLUMNS " " SESSION_MATCH " ORDER BY updated_ms DESC, n DESC LIMIT ?5",
    [STMT_SESSIONS_MATCH_COUNT] = "SELECT count(*) " SESSION_MATCH,
    [STMT_MESSAGE_INSERT] = "INSERT INTO messages (place, id, run_n, ts_ms, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    [STMT_MESSAGES_READ] = "SELECT place, id, run_n, ts_ms, body FROM messages WHERE place > ?1 AND place <= ?2 "
                           "ORDER BY place DESC",
    [STMT_RUN_INSERT] = "INSERT INTO runs (" RUN_COLUMNS ") VALUES "
                        "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [STMT_RUN_UPDATE] = "UPDATE runs SET id = ?2, session_n = ?3, kind = ?4, state = ?5, attempts = ?6, "
                        "created_ms = ?7, started_ms = ?8, ended_ms = ?9, message_seq = ?10, reply_seq = ?11, "
                        "timeout_ms = ?12, model = ?13, stop_reason = ?14, error = ?15 WHERE n = ?1",
    [STMT_RUN_GET] = "SELECT " RUN_COLUMNS " FROM runs WHERE id = ?1",
    [STMT_RUNS_OPEN] = "SELECT " RUN_COLUMNS " FROM runs WHERE state < 2 ORDER BY n",
    /* The newest row stays, so that a number is never given twice. */
    [STMT_RUNS_PRUNE] = "DELETE FROM runs WHERE n IN (SELECT n FROM (SELECT n, state, ended_ms FROM runs ORDER BY n "
                        "LIMIT " PRUNE_ROWS ") WHERE state >= 2 AND ended_ms < ?1) AND n < (SELECT max(n) FROM runs)",
    [STMT_NOTE_ADD] = "INSERT INTO notes (number, id, session, text, is_trusted, is_open, at_ms) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)",
    [STMT_NOTE_FIND] = "SELECT 1 FROM notes WHERE id = ?1",
    [STMT_NOTE_DROP] = "DELETE FROM notes WHERE number = ?1",
    [STMT_NOTES_READ] = "DELETE FROM notes WHERE session = ?1 AND number <= ?2 AND id IS NULL",
    [STMT_NOTES_REMEMBER] = "UPDATE notes SET is_open = 0, text = '' WHERE session = ?1 AND number <= ?2 AND is_open",
    [STMT_NOTES_PRUNE] = "DELETE FROM notes WHERE NOT is_open AND at_ms < ?1",
    [STMT_NOTES_OPEN] = "SELECT number, id IS NOT NULL, session, text, is_trusted, at_ms FROM notes WHERE is_open "
                        "ORDER BY number",
    [STMT_NOTES_LAST] = "SELECT ifnull(max(number), 0) FROM notes",
    [STMT_NEWEST_RUN] = "SELECT run_n FROM messages WHERE place > ?1 AND place <= ?2 ORDER BY place DESC LIMIT 1",
    [STMT_BRANCH_MEASURE] = "SELECT count(*), ifnull(sum(size), 0) FROM (SELECT length(body) AS size FROM messages "
                            "WHERE place > ?1 AND place <= ?2 AND run_n <= ?3 LIMIT ?4)",
    /* Numbered anew, so that a copy has no gaps where somebody else's words stood. */
    [STMT_BRANCH_COPY] = "INSERT INTO messages (place, id, run_n, ts_ms, body) SELECT "
                         "?4 + row_number() OVER (ORDER BY place), id, run_n, ts_ms, body FROM messages "
                         "WHERE place > ?1 AND place <= ?2 AND run_n <= ?3",
    [STMT_BRANCH_ADD] = "INSERT INTO branches (session_n, origin_n) VALUES (?1, ?2)",
    [STMT_BRANCH_ORIGIN] = "SELECT origin_n FROM branches WHERE session_n = ?1",
};

/* Younger than the format: an older release does not look at them. */
static const char younger_text[] =
    "CREATE TABLE IF NOT EXISTS notes (number INTEGER PRIMARY KEY, id TEXT UNIQUE, session TEXT NOT NULL, "
    "text TEXT NOT NULL, is_trusted INTEGER NOT NULL, is_open INTEGER NOT NULL, at_ms INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS branches (session_n INTEGER PRIMARY KEY, origin_n INTEGER NOT NULL)";

static const char schema_text[] =
    "CREATE TABLE sessions (n INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, id TEXT NOT NULL, label TEXT NOT NULL, "
    "channel TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, status INTEGER NOT NULL, "
    "created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL, "
    "ended_ms INTEGER NOT NULL, messages_n INTEGER NOT NULL, is_last_aborted INTEGER NOT NULL, "
    "input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, total_tokens INTEGER NOT NULL);"
    "CREATE INDEX sessions_updated ON sessions (updated_ms);"
    "CREATE TABLE messages (place INTEGER PRIMARY KEY, id TEXT NOT NULL, run_n INTEGER NOT NULL, "
    "ts_ms INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE TABLE runs (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, session_n INTEGER NOT NULL, "
    "kind INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL, created_ms INTEGER NOT NULL, "
    "started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, message_seq INTEGER NOT NULL, "
    "reply_seq INTEGER NOT NULL, timeout_ms INTEGER NOT NULL, model TEXT NOT NULL, stop_reason TEXT NOT NULL, "
    "error TEXT NOT NULL);"
    "CREATE INDEX runs_open ON runs (n) WHERE state < 2;";

/* --- results -------------------------------------------------------------------------- */

/* Turns a result of SQLite into a fault or an outcome, and keeps its words. */
int store_result_sort(struct store *self, int rc)
{
    (void)snprintf(self->problem, sizeof(self->problem), "%s",
                   self->db ? sqlite3_errmsg(self->db) : sqlite3_errstr(rc));
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        self->problem[0] = 0;
        return 0;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
        return STORE_E_UNAVAILABLE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FAULT(-EUCLEAN);
    default:
        return FAULT(-EIO);
    }
}

const char *store_problem(const struct store *self)
{
    return self->problem;
}

int store_stmt_get(struct store *self, enum stmt which, sqlite3_stmt **ret_stmt)
{
    int rc = SQLITE_OK;

    if (!self->stmts[which]) {
        rc = sqlite3_prepare_v3(self->db, stmt_texts[which], -1, SQLITE_PREPARE_PERSISTENT, &self->stmts[which], NULL);
    }
    *ret_stmt = self->stmts[which];
    return store_result_sort(self, rc);
}

/* Runs a statement that gives no rows, and makes it ready for the next time. */
static int stmt_run(struct store *self, sqlite3_stmt *stmt)
{
    int rc = store_result_sort(self, sqlite3_step(stmt));

    (void)sqlite3_reset(stmt);          /* repeats the result of the step */
    (void)sqlite3_clear_bindings(stmt); /* always OK */
    return rc;
}

static int stmt_exec(struct store *self, enum stmt which)
{
    sqlite3_stmt *stmt;
    int rc = store_stmt_get(self, which, &stmt);

    return rc ? rc : stmt_run(self, stmt);
}

void store_stmt_release(sqlite3_stmt **stmt_p)
{
    if (*stmt_p) {
        (void)sqlite3_reset(*stmt_p);          /* repeats the result of the step */
        (void)sqlite3_clear_bindings(*stmt_p); /* always OK */
    }
}

/* --- opening ---------------------------------------------------------------------------- */

static int pragma_int(struct store *self, const char *text, int64_t *ret_value)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(self->db, text, -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        *ret_value = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    }
    rc = store_result_sort(self, rc);
    (void)sqlite3_finalize(stmt); /* repeats the result of the step */
    return rc;
}

static int exec(struct store *self, const char *text)
{
    return store_result_sort(self, sqlite3_exec(self->db, text, NULL, NULL, NULL));
}

static int format_create(struct store *self)
{
    char text[128];
    int rc = exec(self, "BEGIN IMMEDIATE");

    if (rc) {
        return rc;
    }
    rc = exec(self, schema_text);
    (void)snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
                   STORE_FORMAT);
    if (!rc) {
        rc = exec(self, text);
    }
    if (rc) {
        char problem[sizeof(self->problem)];

        memcpy(problem, self->problem, sizeof(problem));
        (void)exec(self, "ROLLBACK"); /* the first problem counts */
        memcpy(self->problem, problem, sizeof(problem));
    }
    return rc;
}

static int format_check(struct store *self)
{
    int64_t format = 0;
    int64_t application = 0;
    int64_t tables = 0;
    int rc = pragma_int(self, "PRAGMA user_version", &format);

    if (!rc) {
        rc = pragma_int(self, "PRAGMA application_id", &application);
    }
    if (!rc) {
        rc = pragma_int(self, "SELECT count(*) FROM sqlite_master", &tables);
    }
    if (rc) {
        return rc;
    }
    if (!tables) {
        return format_create(self);
    }
    if (application != APPLICATION_ID) {
        (void)snprintf(self->problem, sizeof(self->problem), "the file is a database of another program");
        return FAULT(-EUCLEAN);
    }
    if (format > STORE_FORMAT) {
        (void)snprintf(self->problem, sizeof(self->problem),
                       "the database has format %lld, this release reads up to %d: start the newer release, or move "
                       "the file away",
                       (long long)format, STORE_FORMAT);
        return STORE_E_NEWER;
    }
    return 0;
}

/* Not every file system can have the log that NORMAL speaks of (https://sqlite.org/wal.html, "Disadvantages"). */
static int log_open(struct store *self)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(self->db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        self->has_log = rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
    }
    rc = store_result_sort(self, rc);
    (void)sqlite3_finalize(stmt); /* repeats the result of the step */
    return rc ? rc : exec(self, self->has_log ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
}

void store_log_name(const char *path, char *out, size_t size)
{
    (void)snprintf(out, size, "%s-wal", path); /* https://sqlite.org/fileformat2.html#walformat */
}

int store_open(struct store *self, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int rc;

    *self = (struct store){ 0 };
    rc = store_result_sort(self, sqlite3_open_v2(path, &self->db, flags, NULL));
    if (rc) {
        return rc;
    }
    (void)sqlite3_extended_result_codes(self->db, 1); /* always OK */
    (void)sqlite3_busy_timeout(self->db, BUSY_MS);    /* always OK */
    rc = format_check(self);
    if (!rc) {
        rc = exec(self, "PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; "
                        "PRAGMA journal_size_limit = 16777216");
    }
    rc = rc ? rc : log_open(self);
    return rc ? rc : exec(self, younger_text);
}

int store_probe(struct store *self, const char *path)
{
    struct statvfs disk;
    char text[64];

    /* A small write may still fit into the log that is there, and the next message not. */
    if (!statvfs(path, &disk) && (uint64_t)disk.f_bavail * disk.f_frsize < PROBE_ROOM) {
        (void)snprintf(self->problem, sizeof(self->problem), "database or disk is full");
        return STORE_E_UNAVAILABLE;
    }

    (void)snprintf(text, sizeof(text), "PRAGMA user_version = %d", STORE_FORMAT);
    return exec(self, text); /* rewrites the first page */
}

void store_close(struct store *self)
{
    if (!self->db) {
        return;
    }
    store_batch_rollback(self);
    for (size_t i = 0; i < ARRAY_LEN(self->stmts); i++) {
        (void)sqlite3_finalize(self->stmts[i]); /* repeats the result of the last step */
        self->stmts[i] = NULL;
    }
    (void)sqlite3_close_v2(self->db); /* no statement is left */
    self->db = NULL;
}

/* --- batches ------------------------------------------------------------------------------ */

static int batch_open(struct store *self)
{
    int rc;

    if (self->in_batch) {
        return 0;
    }
    rc = stmt_exec(self, STMT_BEGIN);
    self->in_batch = !rc;
    return rc;
}

void store_batch_rollback(struct store *self)
{
    char problem[sizeof(self->problem)];

    if (!self->in_batch) {
        return;
    }
    memcpy(problem, self->problem, sizeof(problem));
    if (!sqlite3_get_autocommit(self->db)) {
        (void)stmt_exec(self, STMT_ROLLBACK); /* SQLite may have done it by itself */
    }
    memcpy(self->problem, problem, sizeof(problem));
    self->in_batch = false;
}

int store_batch_commit(struct store *self)
{
    int rc;

    if (!self->in_batch) {
        return 0;
    }
    rc = stmt_exec(self, STMT_COMMIT);
    if (rc) {
        store_batch_rollback(self);
    }
    self->in_batch = false;
    return rc;
}

/* A write that failed takes the batch with it. */
int store_write_run(struct store *self, sqlite3_stmt *stmt)
{
    int rc = stmt_run(self, stmt);

    if (rc) {
        store_batch_rollback(self);
    }
    return rc;
}

int store_write_get(struct store *self, enum stmt which, sqlite3_stmt **ret_stmt)
{
    int rc = batch_open(self);

    return rc ? rc : store_stmt_get(self, which, ret_stmt);
}
