/*
 * outbox: see outbox.h.
 */
#include "actors/channel/outbox.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"

#define FORMAT_VERSION 1 /* PRAGMA user_version; higher means a newer release wrote it */

static const char schema[] = "CREATE TABLE IF NOT EXISTS outbox ("
                             " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " key TEXT NOT NULL UNIQUE,"
                             " state INTEGER NOT NULL,"
                             " session_key TEXT NOT NULL,"
                             " run_id TEXT NOT NULL,"
                             " recipient TEXT NOT NULL,"
                             " thread_id TEXT NOT NULL,"
                             " body TEXT NOT NULL,"
                             " media BLOB NOT NULL,"
                             " attempts INTEGER NOT NULL DEFAULT 0,"
                             " created_at INTEGER NOT NULL,"
                             " changed_at INTEGER NOT NULL,"
                             " why TEXT NOT NULL DEFAULT '');"
                             "CREATE INDEX IF NOT EXISTS outbox_state ON outbox (state, id);";

const char *outbox_state_name(enum outbox_state state)
{
    static const char *const names[] = { "queued", "sending", "sent", "unknown", "dead" };

    return (size_t)state < ARRAY_LEN(names) ? names[state] : "unknown";
}

static void finalize(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
}

static int run(struct outbox *self, const char *sql)
{
    int rc = sqlite3_exec(self->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : OUTBOX_E_STORAGE;
}

static int64_t number(struct outbox *self, const char *sql)
{
    CLEANUP(finalize) sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(self->db, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW) {
        return 0;
    }
    return sqlite3_column_int64(stmt, 0);
}

static void count(struct outbox *self)
{
    self->counts = (struct outbox_counts){
        .queued_n = (uint64_t)number(self, "SELECT count(*) FROM outbox WHERE state IN (0, 1)"),
        .unknown_n = (uint64_t)number(self, "SELECT count(*) FROM outbox WHERE state = 3"),
        .dead_n = (uint64_t)number(self, "SELECT count(*) FROM outbox WHERE state = 4"),
        .oldest_queued_at = number(self, "SELECT coalesce(min(created_at), 0) FROM outbox WHERE state IN (0, 1)"),
    };
}

/* --- life ------------------------------------------------------------------------------- */

/* In one transaction, so that a file is either not ours yet or complete. */
static int tables_make(struct outbox *self)
{
    int r = run(self, "BEGIN IMMEDIATE");

    r = r ? r : run(self, schema);
    r = r ? r : run(self, "PRAGMA user_version = 1");
    return r ? r : run(self, "COMMIT"); /* without it closing rolls back */
}

static int prepare_file(struct outbox *self)
{
    int64_t version;
    int r = run(self, "PRAGMA journal_mode = WAL");

    /* FULL: what is committed is on the disk, not only with the kernel. */
    r = r ? r : run(self, "PRAGMA synchronous = FULL");
    if (r) {
        return r;
    }
    version = number(self, "PRAGMA user_version");
    if (version > FORMAT_VERSION) {
        return OUTBOX_E_STORAGE;
    }
    r = version == FORMAT_VERSION ? 0 : tables_make(self); /* writing what is there costs every start a sync */
    return r ? r
             : run(self,
                   "UPDATE outbox SET state = 3, why = 'the gateway ended while it was being sent' WHERE state = 1");
}

int outbox_open(const char *path, struct outbox *ret_outbox)
{
    struct outbox self = { 0 };
    int r;

    if (sqlite3_open_v2(path, &self.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        sqlite3_close(self.db);
        return OUTBOX_E_STORAGE;
    }
    r = prepare_file(&self);
    if (r) {
        sqlite3_close(self.db);
        return r;
    }
    count(&self);
    *ret_outbox = self;
    return 0;
}

void outbox_close(struct outbox *self)
{
    if (self->db) {
        if (self->is_open) {
            (void)run(self, "ROLLBACK"); /* nobody was told of it */
        }
        sqlite3_close(self->db);
        self->db = NULL;
    }
}

/* --- batches ------------------------------------------------------------------------------ */

/* A full disk may make SQLite roll back by itself: then the batch is lost, and has to be
 * ended as such before another begins. */
static bool is_lost(const struct outbox *self)
{
    return self->is_open && sqlite3_get_autocommit(self->db);
}

static int batch_begin(struct outbox *self)
{
    int r;

    if (self->is_open) {
        return is_lost(self) ? OUTBOX_E_STORAGE : 0;
    }
    r = run(self, "BEGIN IMMEDIATE");
    self->is_open = !r;
    return r;
}

/* Old finished rows go, so that the file stays small; 10000 of them stay for repeats. */
static int prune(struct outbox *self)
{
    return run(self, "DELETE FROM outbox WHERE state = 2 AND id <= (SELECT id FROM outbox WHERE state = 2"
                     " ORDER BY id DESC LIMIT 1 OFFSET 10000)");
}

int outbox_commit(struct outbox *self)
{
    int r;

    if (!self->is_open) {
        return 0;
    }
    r = is_lost(self) ? OUTBOX_E_STORAGE : 0;
    r = r || self->commits_n % 256 != 255 ? r : prune(self);
    self->commits_n++;
    r = r ? r : run(self, "COMMIT");
    if (r) {
        (void)run(self, "ROLLBACK"); /* the failed commit may have done it */
        count(self);
    }
    self->is_open = false;
    return r;
}

/* Setting the number writes its page, whatever was there. */
int outbox_probe(struct outbox *self)
{
    return self->is_open ? 0 : run(self, "PRAGMA user_version = 1");
}

static void bind_span(sqlite3_stmt *stmt, int at, struct span text)
{
    sqlite3_bind_text64(stmt, at, text.len ? text.ptr : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static int find(struct outbox *self, struct outbox_item *item)
{
    CLEANUP(finalize) sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(self->db, "SELECT id, state FROM outbox WHERE key = ?1", -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        bind_span(stmt, 1, item->key);
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        item->id = (uint64_t)sqlite3_column_int64(stmt, 0);
        item->state = (enum outbox_state)sqlite3_column_int(stmt, 1);
        item->is_repeat = true;
        return 0;
    }
    return rc == SQLITE_DONE ? OUTBOX_E_EMPTY : OUTBOX_E_STORAGE;
}

static int insert(struct outbox *self, struct outbox_item *item, int64_t now_ms)
{
    CLEANUP(finalize) sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(self->db,
                                "INSERT INTO outbox (key, state, session_key, run_id, recipient, thread_id, body,"
                                " media, created_at, changed_at) VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
                                -1, &stmt, NULL);

    if (rc != SQLITE_OK) {
        return OUTBOX_E_STORAGE;
    }
    bind_span(stmt, 1, item->key);
    bind_span(stmt, 2, item->session_key);
    bind_span(stmt, 3, item->run_id);
    bind_span(stmt, 4, item->to);
    bind_span(stmt, 5, item->thread_id);
    bind_span(stmt, 6, item->text);
    sqlite3_bind_blob64(stmt, 7, item->media.len ? item->media.ptr : "", item->media.len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 8, now_ms);
    rc = sqlite3_step(stmt);
    if (rc != SQLITE_DONE) {
        return OUTBOX_E_STORAGE;
    }
    item->id = (uint64_t)sqlite3_last_insert_rowid(self->db);
    item->state = OUTBOX_QUEUED;
    item->is_repeat = false;
    self->counts.queued_n++;
    if (!self->counts.oldest_queued_at) {
        self->counts.oldest_queued_at = now_ms;
    }
    return 0;
}

int outbox_put(struct outbox *self, struct outbox_item *item, int64_t now_ms)
{
    int r = batch_begin(self);

    r = r ? r : find(self, item);
    if (r != OUTBOX_E_EMPTY) {
        return r;
    }
    return self->counts.queued_n >= OUTBOX_OPEN_MAX ? OUTBOX_E_FULL : insert(self, item, now_ms);
}

/* --- sending -------------------------------------------------------------------------------- */

/* Points into `*at`, where the bytes were copied; `*at` moves on. */
static struct span column_copy(sqlite3_stmt *stmt, int column, char **at)
{
    size_t len = (size_t)sqlite3_column_bytes(stmt, column);
    const void *bytes = sqlite3_column_blob(stmt, column);
    struct span copy = { *at, len };

    if (len) {
        memcpy(*at, bytes, len);
    }
    *at += len;
    return copy;
}

/* One allocation holds all texts; it begins at `key`. */
static int item_read(sqlite3_stmt *stmt, struct outbox_item *ret_item)
{
    size_t size = 1;
    char *at;

    for (int column = 1; column <= 7; column++) {
        size += (size_t)sqlite3_column_bytes(stmt, column);
    }
    at = malloc(size);
    if (!at) {
        return FAULT(-ENOMEM);
    }
    *ret_item = (struct outbox_item){ .id = (uint64_t)sqlite3_column_int64(stmt, 0), .state = OUTBOX_SENDING };
    ret_item->key = column_copy(stmt, 1, &at);
    ret_item->session_key = column_copy(stmt, 2, &at);
    ret_item->run_id = column_copy(stmt, 3, &at);
    ret_item->to = column_copy(stmt, 4, &at);
    ret_item->thread_id = column_copy(stmt, 5, &at);
    ret_item->text = column_copy(stmt, 6, &at);
    ret_item->media = column_copy(stmt, 7, &at);
    ret_item->attempts_n = (uint32_t)sqlite3_column_int(stmt, 8) + 1;
    ret_item->created_at = sqlite3_column_int64(stmt, 9);
    return 0;
}

void outbox_item_free(struct outbox_item *item)
{
    union {
        const char *borrowed;
        char *owned;
    } texts = { .borrowed = item->key.ptr };

    free(texts.owned);
    *item = (struct outbox_item){ 0 };
}

static int set_state(struct outbox *self, uint64_t id, enum outbox_state state, struct span why, int64_t now_ms)
{
    CLEANUP(finalize) sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(self->db,
                                "UPDATE outbox SET state = ?2, why = ?3, changed_at = ?4,"
                                " attempts = attempts + (?2 = 1) WHERE id = ?1",
                                -1, &stmt, NULL);

    if (rc != SQLITE_OK) {
        return OUTBOX_E_STORAGE;
    }
    sqlite3_bind_int64(stmt, 1, (int64_t)id);
    sqlite3_bind_int(stmt, 2, (int)state);
    bind_span(stmt, 3, why);
    sqlite3_bind_int64(stmt, 4, now_ms);
    rc = sqlite3_step(stmt);
    return rc == SQLITE_DONE ? 0 : OUTBOX_E_STORAGE;
}

int outbox_take(struct outbox *self, struct outbox_item *ret_item, int64_t now_ms)
{
    CLEANUP(finalize) sqlite3_stmt *stmt = NULL;
    int rc;
    int r;

    if (!self->counts.queued_n) {
        return OUTBOX_E_EMPTY;
    }
    r = batch_begin(self);
    if (r) {
        return r;
    }
    rc = sqlite3_prepare_v2(self->db,
                            "SELECT id, key, session_key, run_id, recipient, thread_id, body, media, attempts,"
                            " created_at FROM outbox WHERE state = 0 ORDER BY id LIMIT 1",
                            -1, &stmt, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? OUTBOX_E_EMPTY : OUTBOX_E_STORAGE;
    }
    r = item_read(stmt, ret_item);
    if (r) {
        return r;
    }
    r = set_state(self, ret_item->id, OUTBOX_SENDING, (struct span){ 0 }, now_ms);
    if (r) {
        outbox_item_free(ret_item);
    }
    return r;
}

int outbox_mark(struct outbox *self, uint64_t id, enum outbox_state state, struct span why, int64_t now_ms)
{
    int r = batch_begin(self);

    r = r ? r : set_state(self, id, state, why, now_ms);
    if (!r && state != OUTBOX_SENDING) {
        count(self);
    }
    return r;
}
