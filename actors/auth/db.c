#include "actors/auth/db.h"

#include <stdio.h>
#include <string.h>

#include "actors/auth/secret.h"
#include "bus/base/fault.h"
#include "schema/base/database.h"

#define FORMAT 2

static const char schema_sql[] =
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE paired (id TEXT PRIMARY KEY, public_key TEXT NOT NULL, display_name TEXT NOT NULL,"
    " platform TEXT NOT NULL, device_family TEXT NOT NULL, client_id TEXT NOT NULL, client_mode TEXT NOT NULL,"
    " remote_ip TEXT NOT NULL, role TEXT NOT NULL, scopes TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    " approved_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE token (device_id TEXT NOT NULL REFERENCES paired(id) ON DELETE CASCADE, role TEXT NOT NULL,"
    " scopes TEXT NOT NULL, serial INTEGER NOT NULL, digest BLOB, older_digest BLOB, created_ms INTEGER NOT NULL,"
    " rotated_ms INTEGER, revoked_ms INTEGER, PRIMARY KEY (device_id, role)) WITHOUT ROWID;"
    "CREATE TABLE request (id TEXT PRIMARY KEY, device_id TEXT NOT NULL UNIQUE, public_key TEXT NOT NULL,"
    " display_name TEXT NOT NULL, platform TEXT NOT NULL, device_family TEXT NOT NULL, client_id TEXT NOT NULL,"
    " client_mode TEXT NOT NULL, remote_ip TEXT NOT NULL, role TEXT NOT NULL, roles TEXT NOT NULL,"
    " scopes TEXT NOT NULL, is_repair INTEGER NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE bootstrap (digest BLOB PRIMARY KEY, roles TEXT NOT NULL, scopes TEXT NOT NULL,"
    " issued_ms INTEGER NOT NULL, device_id TEXT, used_ms INTEGER) WITHOUT ROWID;";

/* What was added since: an older release does not look at it, and what it removes goes here as well. */
static const char added_sql[] =
    "CREATE TABLE IF NOT EXISTS label (device_id TEXT PRIMARY KEY REFERENCES paired(id) ON DELETE CASCADE,"
    " label TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS setup (id TEXT PRIMARY KEY, digest BLOB NOT NULL, access TEXT NOT NULL,"
    " issued_ms INTEGER NOT NULL, device_id TEXT, device_name TEXT, done_ms INTEGER) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS join_link (digest BLOB PRIMARY KEY, url TEXT NOT NULL, fingerprint TEXT NOT NULL,"
    " expires_ms INTEGER NOT NULL) WITHOUT ROWID;";

/* What the first format kept; tokens go through digest(), which store registers. */
static const char from_1_sql[] =
    "INSERT INTO paired SELECT d.id, d.public_key, d.display_name, d.platform, d.device_family, d.client_id,"
    " d.client_mode, '', coalesce((SELECT max(role) FROM device_role WHERE device_id = d.id), 'operator'),"
    " coalesce((SELECT scopes FROM device_role WHERE device_id = d.id AND role = 'operator'), ''), d.created_ms,"
    " d.approved_ms FROM device d;"
    "INSERT INTO token SELECT device_id, role, scopes, 0, digest(token), NULL, issued_ms, NULL, NULL FROM device_role;"
    "DROP TABLE device_role; DROP TABLE device; DROP TABLE pending;";

/* --- opening ------------------------------------------------------------------------------- */

static int exec(struct db *self, const char *sql)
{
    return database_exec(self->handle, sql);
}

static int format_bring(struct db *self)
{
    int version = 0;
    int r = database_format(self->handle, FORMAT, &version);

    if (r || version == FORMAT) {
        return r ? r : exec(self, added_sql);
    }
    r = exec(self, "BEGIN IMMEDIATE");
    r = r ? r : exec(self, schema_sql);
    r = r || version != 1 ? r : exec(self, from_1_sql);
    r = r ? r : exec(self, added_sql);
    r = r ? r : exec(self, "PRAGMA user_version = 2");
    return r ? r : exec(self, "COMMIT");
}

static void digest_function(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    unsigned char digest[SECRET_DIGEST];
    const unsigned char *text = sqlite3_value_text(argv[0]);

    (void)argc;
    if (!text || secret_fingerprint(span_from((const char *)text), digest)) {
        sqlite3_result_error_nomem(context);
        return;
    }
    sqlite3_result_blob(context, digest, sizeof(digest), SQLITE_TRANSIENT);
}

int db_open(struct db *self, const char *path)
{
    int r = database_open(path, &self->handle);

    if (r) {
        return r;
    }
    int rc = sqlite3_create_function(self->handle, "digest", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                     digest_function, NULL, NULL);
    if (rc != SQLITE_OK) {
        return database_fault(rc);
    }
    r = exec(self, "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON");
    r = r ? r : format_bring(self);
    return r > 0 ? FAULT(-EIO) : r;
}

void db_close(struct db *self)
{
    for (size_t i = 0; i < self->cached_n; i++) {
        sqlite3_finalize(self->cached[i].stmt);
    }
    self->cached_n = 0;
    sqlite3_close(self->handle);
    self->handle = NULL;
}

/* --- transactions ------------------------------------------------------------------------------ */

/* Deferred: nobody else writes, and one that only reads costs nothing and works on a full disk. */
int db_begin(struct db *self)
{
    return exec(self, "BEGIN");
}

int db_finish(struct db *self, int r)
{
    if (!r) {
        r = exec(self, "COMMIT");
    }
    if (r && !sqlite3_get_autocommit(self->handle)) {
        (void)exec(self, "ROLLBACK"); /* nothing more can be done when this fails too */
    }
    return r;
}

/* --- statements ---------------------------------------------------------------------------------- */

sqlite3_stmt *db_stmt(struct db *self, const char *sql)
{
    for (size_t i = 0; i < self->cached_n; i++) {
        if (self->cached[i].sql == sql) {
            sqlite3_reset(self->cached[i].stmt);
            sqlite3_clear_bindings(self->cached[i].stmt);
            return self->cached[i].stmt;
        }
    }
    sqlite3_stmt *stmt = NULL;
    if (self->cached_n == DB_STATEMENTS_MAX ||
        sqlite3_prepare_v3(self->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
        return NULL;
    }
    self->cached[self->cached_n].sql = sql;
    self->cached[self->cached_n++].stmt = stmt;
    return stmt;
}

void db_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void db_bind_span(sqlite3_stmt *stmt, int at, struct span text)
{
    sqlite3_bind_text(stmt, at, text.len ? text.ptr : "", (int)text.len, SQLITE_STATIC);
}

void db_bind_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t len)
{
    sqlite3_bind_blob(stmt, at, bytes, (int)len, SQLITE_STATIC);
}

void db_bind_time(sqlite3_stmt *stmt, int at, int64_t value)
{
    if (value) {
        sqlite3_bind_int64(stmt, at, value);
    } else {
        sqlite3_bind_null(stmt, at);
    }
}

int db_step(struct db *self, sqlite3_stmt *stmt, bool *ret_is_row)
{
    if (!stmt) {
        return database_fault(sqlite3_errcode(self->handle));
    }
    int rc = sqlite3_step(stmt);
    *ret_is_row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        return 0;
    }
    db_done(stmt);
    return rc == SQLITE_DONE ? 0 : database_outcome(rc);
}

int db_run(struct db *self, sqlite3_stmt *stmt)
{
    bool is_row = false;
    int r = db_step(self, stmt, &is_row);

    if (is_row) {
        db_done(stmt);
    }
    return r;
}

void db_done(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

int db_changes(const struct db *self)
{
    return sqlite3_changes(self->handle);
}

void db_text(sqlite3_stmt *stmt, int at, char *out, size_t out_len)
{
    const unsigned char *text = sqlite3_column_text(stmt, at);

    snprintf(out, out_len, "%s", text ? (const char *)text : "");
}

bool db_blob(sqlite3_stmt *stmt, int at, void *out, size_t len)
{
    const void *bytes = sqlite3_column_blob(stmt, at);

    if (!bytes || (size_t)sqlite3_column_bytes(stmt, at) != len) {
        return false;
    }
    memcpy(out, bytes, len);
    return true;
}
