#include "actors/auth/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/auth/scopes.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

#define FORMAT 1

static const char schema_sql[] =
    "CREATE TABLE device (id TEXT PRIMARY KEY, public_key TEXT NOT NULL, platform TEXT NOT NULL,"
    " device_family TEXT NOT NULL, client_id TEXT NOT NULL, client_mode TEXT NOT NULL, display_name TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, approved_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE device_role (device_id TEXT NOT NULL REFERENCES device(id) ON DELETE CASCADE, role TEXT NOT NULL,"
    " scopes TEXT NOT NULL, token TEXT NOT NULL, issued_ms INTEGER NOT NULL, PRIMARY KEY (device_id, role))"
    " WITHOUT ROWID;"
    "CREATE TABLE pending (request_id TEXT PRIMARY KEY, device_id TEXT NOT NULL, public_key TEXT NOT NULL,"
    " role TEXT NOT NULL, scopes TEXT NOT NULL, reason TEXT NOT NULL, platform TEXT NOT NULL,"
    " device_family TEXT NOT NULL, client_id TEXT NOT NULL, client_mode TEXT NOT NULL, display_name TEXT NOT NULL,"
    " remote TEXT NOT NULL, created_ms INTEGER NOT NULL, UNIQUE (device_id, role, reason)) WITHOUT ROWID;"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

static const char *const statements[] = {
    "SELECT d.platform, d.device_family, (SELECT group_concat(role) FROM device_role WHERE device_id = d.id),"
    " r.scopes, r.token, r.issued_ms FROM device d LEFT JOIN device_role r ON r.device_id = d.id AND r.role = ?2"
    " WHERE d.id = ?1",
    "INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) ON CONFLICT (id) DO UPDATE SET"
    " platform = ?3, device_family = ?4, client_id = ?5, client_mode = ?6, display_name = ?7, approved_ms = ?8",
    "INSERT INTO device_role VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (device_id, role) DO UPDATE SET scopes = ?3",
    "DELETE FROM pending WHERE created_ms < ?1 OR request_id IN (SELECT request_id FROM pending"
    " ORDER BY created_ms DESC LIMIT -1 OFFSET ?2)",
    "INSERT INTO pending VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    " ON CONFLICT (device_id, role, reason) DO UPDATE SET"
    " request_id = CASE WHEN scopes = ?5 THEN request_id ELSE ?1 END, scopes = ?5, platform = ?7,"
    " device_family = ?8, client_id = ?9, client_mode = ?10, display_name = ?11, remote = ?12, created_ms = ?13"
    " RETURNING request_id",
    "DELETE FROM pending WHERE device_id = ?1 AND role = ?2",
    "SELECT value FROM meta WHERE key = ?1",
    "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
};

enum statement {
    DEVICE_FIND,
    DEVICE_PUT,
    ROLE_PUT,
    PENDING_PRUNE,
    PENDING_PUT,
    PENDING_DROP,
    META_GET,
    META_PUT,
    STATEMENTS_N,
};
_Static_assert(ARRAY_LEN(statements) == STATEMENTS_N, "one text for each statement");

struct store {
    sqlite3 *db;
    sqlite3_stmt *prepared[STATEMENTS_N];
};

static int sqlite_fault(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return FAULT(-ENOMEM);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FAULT(-EUCLEAN);
    case SQLITE_BUSY:
        return FAULT(-EBUSY);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return FAULT(-EACCES);
    default:
        return FAULT(-EIO);
    }
}

/* A disk that says no is the asker's bad news, not our fault. */
static int sqlite_outcome(int rc)
{
    bool is_disk = (rc & 0xff) == SQLITE_FULL || (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_READONLY;

    return is_disk ? STORE_E_FULL : sqlite_fault(rc);
}

/* --- opening ------------------------------------------------------------------------------- */

static int db_exec(struct store *self, const char *sql)
{
    int rc = sqlite3_exec(self->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : sqlite_outcome(rc);
}

static int format_check(struct store *self)
{
    sqlite3_stmt *stmt = NULL;
    int version = -1;
    int rc = sqlite3_prepare_v2(self->db, "PRAGMA user_version", -1, &stmt, NULL);

    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        version = sqlite3_column_int(stmt, 0);
    }
    sqlite3_finalize(stmt);
    if (version < 0) {
        return sqlite_fault(sqlite3_errcode(self->db));
    }
    if (version > FORMAT) {
        return FAULT(-EPROTONOSUPPORT);
    }
    if (version == FORMAT) {
        return 0;
    }
    int r = db_exec(self, "BEGIN IMMEDIATE");
    r = r ? r : db_exec(self, schema_sql);
    r = r ? r : db_exec(self, "PRAGMA user_version = 1");
    return r ? r : db_exec(self, "COMMIT");
}

static int statements_prepare(struct store *self)
{
    for (size_t i = 0; i < STATEMENTS_N; i++) {
        int rc = sqlite3_prepare_v3(self->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &self->prepared[i], NULL);
        if (rc != SQLITE_OK) {
            return sqlite_fault(rc);
        }
    }
    return 0;
}

/* Tokens are in it: the file is nobody else's business from its first byte on. */
static int file_claim(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return FAULT(-errno);
    }
    int fault = fchmod(fd, 0600) ? FAULT(-errno) : 0;
    close(fd);
    return fault;
}

int store_open(const char *path, struct store **ret_store)
{
    CLEANUP(store_close) struct store *self = mem_new(sizeof(*self));
    int fault = file_claim(path);

    if (fault) {
        return fault;
    }
    int rc = sqlite3_open_v2(path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        return sqlite_fault(rc);
    }
    sqlite3_extended_result_codes(self->db, 1);
    int r = db_exec(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                          "PRAGMA trusted_schema = OFF");
    r = r ? r : format_check(self);
    r = r ? r : statements_prepare(self);
    if (r) {
        return r > 0 ? FAULT(-EIO) : r;
    }
    *ret_store = TAKE(self);
    return 0;
}

void store_close(struct store **store_p)
{
    struct store *self = *store_p;

    if (!self) {
        return;
    }
    for (size_t i = 0; i < STATEMENTS_N; i++) {
        sqlite3_finalize(self->prepared[i]);
    }
    sqlite3_close(self->db);
    free(self);
    *store_p = NULL;
}

/* --- one statement ----------------------------------------------------------------------------- */

static sqlite3_stmt *fresh(struct store *self, enum statement which)
{
    sqlite3_reset(self->prepared[which]);
    sqlite3_clear_bindings(self->prepared[which]);
    return self->prepared[which];
}

static void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

static void bind_span(sqlite3_stmt *stmt, int at, struct span text)
{
    sqlite3_bind_text(stmt, at, text.len ? text.ptr : "", (int)text.len, SQLITE_STATIC);
}

/* Runs a statement that yields nothing, and lets go of what was bound. */
static int run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc == SQLITE_DONE ? 0 : sqlite_outcome(rc);
}

static void column_copy(sqlite3_stmt *stmt, int at, char *out, size_t out_len)
{
    const unsigned char *text = sqlite3_column_text(stmt, at);

    snprintf(out, out_len, "%s", text ? (const char *)text : "");
}

/* Ends the transaction; a failing commit undoes it. */
static int finish(struct store *self, int r)
{
    if (!r) {
        r = db_exec(self, "COMMIT");
    }
    if (r && !sqlite3_get_autocommit(self->db)) {
        (void)db_exec(self, "ROLLBACK"); /* nothing more can be done when this fails too */
    }
    return r;
}

/* --- devices --------------------------------------------------------------------------------------- */

int store_device_find(struct store *self, const char *device_id, const char *role, struct store_device *ret_device)
{
    struct store_device device = { 0 };
    sqlite3_stmt *stmt = fresh(self, DEVICE_FIND);

    bind_text(stmt, 1, device_id);
    bind_text(stmt, 2, role);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        device.is_paired = true;
        column_copy(stmt, 0, device.platform, sizeof(device.platform));
        column_copy(stmt, 1, device.device_family, sizeof(device.device_family));
        column_copy(stmt, 2, device.roles, sizeof(device.roles));
        device.has_role = sqlite3_column_type(stmt, 3) != SQLITE_NULL;
        char scopes[SCOPES_TEXT_MAX];
        column_copy(stmt, 3, scopes, sizeof(scopes));
        device.scopes = scopes_parse(scopes);
        column_copy(stmt, 4, device.token, sizeof(device.token));
        device.issued_at_ms = sqlite3_column_int64(stmt, 5);
    }
    sqlite3_reset(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return sqlite_outcome(rc);
    }
    *ret_device = device;
    return 0;
}

static int device_put(struct store *self, const struct store_identity *identity, int64_t now_ms)
{
    sqlite3_stmt *stmt = fresh(self, DEVICE_PUT);

    bind_text(stmt, 1, identity->device_id);
    bind_text(stmt, 2, identity->public_key);
    bind_text(stmt, 3, identity->platform);
    bind_text(stmt, 4, identity->device_family);
    bind_span(stmt, 5, identity->client_id);
    bind_span(stmt, 6, identity->client_mode);
    bind_span(stmt, 7, identity->display_name);
    sqlite3_bind_int64(stmt, 8, now_ms);
    return run(stmt);
}

static int role_put(struct store *self, const struct store_identity *identity, uint32_t scopes, int64_t now_ms)
{
    sqlite3_stmt *stmt = fresh(self, ROLE_PUT);
    char text[SCOPES_TEXT_MAX];
    char token[SECRET_TOKEN_LEN];
    int fault = secret_token_generate(token);

    if (fault) {
        return fault;
    }
    scopes_format(scopes, text);
    bind_text(stmt, 1, identity->device_id);
    bind_text(stmt, 2, identity->role);
    bind_text(stmt, 3, text);
    bind_text(stmt, 4, token);
    sqlite3_bind_int64(stmt, 5, now_ms);
    return run(stmt);
}

static int pending_drop(struct store *self, const struct store_identity *identity)
{
    sqlite3_stmt *stmt = fresh(self, PENDING_DROP);

    bind_text(stmt, 1, identity->device_id);
    bind_text(stmt, 2, identity->role);
    return run(stmt);
}

int store_device_approve(struct store *self, const struct store_identity *identity, uint32_t scopes, int64_t now_ms,
                         struct store_device *ret_device)
{
    int r = db_exec(self, "BEGIN IMMEDIATE");

    if (r) {
        return r;
    }
    r = device_put(self, identity, now_ms);
    r = r ? r : role_put(self, identity, scopes, now_ms);
    r = r ? r : pending_drop(self, identity);
    r = finish(self, r);
    return r ? r : store_device_find(self, identity->device_id, identity->role, ret_device);
}

/* --- requests ----------------------------------------------------------------------------------------- */

static int pending_prune(struct store *self, int64_t now_ms)
{
    sqlite3_stmt *stmt = fresh(self, PENDING_PRUNE);

    sqlite3_bind_int64(stmt, 1, now_ms - STORE_PENDING_TTL_MS);
    sqlite3_bind_int64(stmt, 2, STORE_PENDING_MAX - 1);
    return run(stmt);
}

/* `request_id` is a proposal: who repeats a request keeps the id that an operator may be looking at. */
static int pending_insert(struct store *self, const struct store_identity *identity, char request_id[37],
                          const char *scopes, const char *reason, int64_t now_ms)
{
    sqlite3_stmt *stmt = fresh(self, PENDING_PUT);

    bind_text(stmt, 1, request_id);
    bind_text(stmt, 2, identity->device_id);
    bind_text(stmt, 3, identity->public_key);
    bind_text(stmt, 4, identity->role);
    bind_text(stmt, 5, scopes);
    bind_text(stmt, 6, reason);
    bind_text(stmt, 7, identity->platform);
    bind_text(stmt, 8, identity->device_family);
    bind_span(stmt, 9, identity->client_id);
    bind_span(stmt, 10, identity->client_mode);
    bind_span(stmt, 11, identity->display_name);
    bind_span(stmt, 12, identity->remote);
    sqlite3_bind_int64(stmt, 13, now_ms);
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        sqlite3_reset(stmt);
        return sqlite_outcome(rc);
    }
    char kept[37];
    column_copy(stmt, 0, kept, sizeof(kept));
    int r = run(stmt);
    memcpy(request_id, kept, sizeof(kept));
    return r;
}

int store_pending_put(struct store *self, const struct store_identity *identity, uint32_t scopes, const char *reason,
                      int64_t now_ms, char ret_request_id[37])
{
    char text[SCOPES_TEXT_MAX];
    int r = secret_uuid_generate(ret_request_id);

    scopes_format(scopes, text);
    r = r ? r : db_exec(self, "BEGIN IMMEDIATE");
    if (r) {
        return r;
    }
    r = pending_prune(self, now_ms);
    r = r ? r : pending_insert(self, identity, ret_request_id, text, reason, now_ms);
    return finish(self, r);
}

/* --- generation ------------------------------------------------------------------------------------------ */

static int meta_get(struct store *self, const char *key, void *out, size_t len, bool *ret_is_found)
{
    sqlite3_stmt *stmt = fresh(self, META_GET);

    bind_text(stmt, 1, key);
    int rc = sqlite3_step(stmt);
    *ret_is_found = rc == SQLITE_ROW && (size_t)sqlite3_column_bytes(stmt, 0) == len;
    if (*ret_is_found) {
        memcpy(out, sqlite3_column_blob(stmt, 0), len);
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sqlite_outcome(rc);
}

static int meta_put(struct store *self, const char *key, const void *bytes, size_t len)
{
    sqlite3_stmt *stmt = fresh(self, META_PUT);

    bind_text(stmt, 1, key);
    sqlite3_bind_blob(stmt, 2, bytes, (int)len, SQLITE_STATIC);
    return run(stmt);
}

/* The digest is keyed, so that a stolen database does not confirm guesses by itself. */
struct generation_row {
    uint64_t generation;
    struct secret_key key;
    unsigned char digest[SECRET_DIGEST];
};

int store_generation(struct store *self, struct span settings, uint64_t *ret_generation)
{
    struct generation_row row = { 0 };
    unsigned char digest[SECRET_DIGEST];
    bool is_found = false;
    int r = meta_get(self, "generation", &row, sizeof(row), &is_found);

    r = r || is_found ? r : secret_key_init(&row.key);
    r = r ? r : secret_digest(&row.key, settings, digest);
    if (r) {
        return r;
    }
    if (!is_found || memcmp(digest, row.digest, sizeof(digest)) != 0) {
        row.generation++;
        memcpy(row.digest, digest, sizeof(digest));
        r = meta_put(self, "generation", &row, sizeof(row));
    }
    if (!r) {
        *ret_generation = row.generation;
    }
    return r;
}
