#include "schema/base/legacy_state.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "bus/value.h"

#define BUSY_MS 50
#define CELL_MAX (1 << 20)
#define DEPTH_MAX 16
#define COLUMNS_MAX 20

/* --- what is where ------------------------------------------------------------------------ */

enum kind {
    KIND_TEXT,
    KIND_NUMBER,
    KIND_FLAG,    /* 0 or 1 */
    KIND_JSON,    /* text that is JSON */
    KIND_MEMBERS, /* a JSON object whose members belong to the record itself, and go before other columns */
};

struct column {
    const char *name;
    const char *key; /* in the record */
    enum kind kind;
};

/* A column that is not there is left out: what the table has differs a little from release to release. */
struct part {
    const char *table;
    const char *id;     /* the column by which rows are told apart */
    const char *needed; /* a row without it is none of this part; NULL: all are */
    struct column columns[COLUMNS_MAX];
};

static const struct part parts[] = {
    [LEGACY_STATE_DEVICES] = { .table = "device_pairing_paired",
                               .id = "device_id",
                               .columns = { { "device_id", "deviceId", KIND_TEXT },
                                            { "public_key", "publicKey", KIND_TEXT },
                                            { "display_name", "displayName", KIND_TEXT },
                                            { "operator_label", "operatorLabel", KIND_TEXT },
                                            { "platform", "platform", KIND_TEXT },
                                            { "device_family", "deviceFamily", KIND_TEXT },
                                            { "client_id", "clientId", KIND_TEXT },
                                            { "client_mode", "clientMode", KIND_TEXT },
                                            { "role", "role", KIND_TEXT },
                                            { "roles_json", "roles", KIND_JSON },
                                            { "scopes_json", "scopes", KIND_JSON },
                                            { "approved_scopes_json", "approvedScopes", KIND_JSON },
                                            { "remote_ip", "remoteIp", KIND_TEXT },
                                            { "tokens_json", "tokens", KIND_JSON },
                                            { "created_at_ms", "createdAtMs", KIND_NUMBER },
                                            { "approved_at_ms", "approvedAtMs", KIND_NUMBER } } },
    [LEGACY_STATE_DEVICE_REQUESTS] = { .table = "device_pairing_pending",
                                       .id = "request_id",
                                       .columns = { { "request_id", "requestId", KIND_TEXT },
                                                    { "device_id", "deviceId", KIND_TEXT },
                                                    { "public_key", "publicKey", KIND_TEXT },
                                                    { "display_name", "displayName", KIND_TEXT },
                                                    { "platform", "platform", KIND_TEXT },
                                                    { "device_family", "deviceFamily", KIND_TEXT },
                                                    { "client_id", "clientId", KIND_TEXT },
                                                    { "client_mode", "clientMode", KIND_TEXT },
                                                    { "role", "role", KIND_TEXT },
                                                    { "roles_json", "roles", KIND_JSON },
                                                    { "scopes_json", "scopes", KIND_JSON },
                                                    { "remote_ip", "remoteIp", KIND_TEXT },
                                                    { "is_repair", "isRepair", KIND_FLAG },
                                                    { "ts", "ts", KIND_NUMBER } } },
    [LEGACY_STATE_NODES] = { .table = "device_pairing_paired",
                             .id = "device_id",
                             .needed = "node_surface_json",
                             .columns = { { "node_surface_json", NULL, KIND_MEMBERS },
                                          { "device_id", "nodeId", KIND_TEXT },
                                          { "display_name", "displayName", KIND_TEXT },
                                          { "platform", "platform", KIND_TEXT },
                                          { "device_family", "deviceFamily", KIND_TEXT },
                                          { "remote_ip", "remoteIp", KIND_TEXT },
                                          { "last_seen_at_ms", "lastSeenAtMs", KIND_NUMBER },
                                          { "last_seen_reason", "lastSeenReason", KIND_TEXT } } },
    [LEGACY_STATE_NODE_REQUESTS] = { .table = "device_pairing_paired",
                                     .id = "device_id",
                                     .needed = "pending_node_surface_json",
                                     .columns = { { "pending_node_surface_json", NULL, KIND_MEMBERS },
                                                  { "device_id", "nodeId", KIND_TEXT },
                                                  { "display_name", "displayName", KIND_TEXT },
                                                  { "platform", "platform", KIND_TEXT },
                                                  { "device_family", "deviceFamily", KIND_TEXT },
                                                  { "remote_ip", "remoteIp", KIND_TEXT } } },
    [LEGACY_STATE_CODES] = { .table = "device_bootstrap_tokens",
                             .id = "token",
                             .columns = { { "token", "token", KIND_TEXT },
                                          { "device_id", "deviceId", KIND_TEXT },
                                          { "profile_json", "profile", KIND_JSON },
                                          { "issued_at_ms", "issuedAtMs", KIND_NUMBER } } },
};

/* --- one read ------------------------------------------------------------------------------ */

struct reading {
    const struct part *part;
    sqlite3 *db;
    sqlite3_stmt *stmt;
    struct pack *rows;
    struct pack members; /* of the row in hand */
    char *why;
};

static void reading_end(struct reading *self)
{
    (void)sqlite3_finalize(self->stmt); /* repeats what the last step said */
    (void)sqlite3_close(self->db);      /* nothing of it is open any more */
    pack_deinit(&self->members);
}

static int unusable(struct reading *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int unusable(struct reading *self, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(self->why, LEGACY_STATE_WHY_MAX, fmt, args); /* a cut text still explains */
    va_end(args);
    return LEGACY_STATE_E_UNUSABLE;
}

static int sqlite_outcome(struct reading *self, int rc)
{
    return (rc & 0xff) == SQLITE_NOMEM ? FAULT(-ENOMEM) : unusable(self, "%s", sqlite3_errmsg(self->db));
}

/* --- opening ------------------------------------------------------------------------------- */

/* What SQLite opens by itself, beside the file that a link leads to. */
static int companions_look(struct reading *self, const char *path)
{
    static const char *const ends[] = { "-journal", "-wal", "-shm" };
    char real[PATH_MAX];
    char beside[PATH_MAX];
    struct stat st;

    if (!realpath(path, real)) {
        return unusable(self, "it cannot be opened: %s", fault_text(-errno));
    }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (snprintf(beside, sizeof(beside), "%s%s", real, ends[i]) >= (int)sizeof(beside)) {
            return unusable(self, "its path is too long");
        }
        if (lstat(beside, &st)) {
            if (errno != ENOENT) {
                return unusable(self, "its %s file cannot be looked at: %s", ends[i], fault_text(-errno));
            }
        } else if (!S_ISREG(st.st_mode)) {
            return unusable(self, "its %s file is no regular file", ends[i]);
        }
    }
    return 0;
}

/* A pipe would be waited for. */
static int place_look(struct reading *self, const char *path)
{
    struct stat st;

    if (stat(path, &st)) {
        return errno == ENOENT || errno == ENOTDIR ? LEGACY_STATE_E_ABSENT
                                                   : unusable(self, "it cannot be opened: %s", fault_text(-errno));
    }
    return S_ISREG(st.st_mode) ? companions_look(self, path) : unusable(self, "it is no file");
}

/* What is written in the database is not trusted to run anything. */
static int database_begin(struct reading *self, const char *path)
{
    int rc = sqlite3_open_v2(path, &self->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc != SQLITE_OK) {
        return sqlite_outcome(self, rc);
    }
    (void)sqlite3_busy_timeout(self->db, BUSY_MS);                         /* always OK */
    (void)sqlite3_limit(self->db, SQLITE_LIMIT_LENGTH, CELL_MAX);          /* returns the old one */
    (void)sqlite3_db_config(self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL); /* always OK, as are the next two */
    (void)sqlite3_db_config(self->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(self->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    return 0;
}

static int table_look(struct reading *self)
{
    static const char sql[] = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
    int rc = sqlite3_prepare_v2(self->db, sql, -1, &self->stmt, NULL);

    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_text(self->stmt, 1, self->part->table, -1, SQLITE_STATIC); /* a step would tell */
        rc = sqlite3_step(self->stmt);
    }
    (void)sqlite3_finalize(self->stmt); /* repeats what the step said */
    self->stmt = NULL;
    return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? LEGACY_STATE_E_ABSENT : sqlite_outcome(self, rc);
}

static int statement_begin(struct reading *self, struct span id)
{
    const struct part *part = self->part;
    char sql[192];
    char where[96] = "";

    if (id.len) {
        (void)snprintf(where, sizeof(where), " WHERE %s = ?1", part->id); /* fits, as the names do */
    }
    (void)snprintf(sql, sizeof(sql), "SELECT *, %s FROM %s%s LIMIT %d", part->id, part->table, where,
                   LEGACY_STATE_ROWS_MAX + 1);
    int rc = sqlite3_prepare_v2(self->db, sql, -1, &self->stmt, NULL);
    if (rc != SQLITE_OK) {
        return sqlite_outcome(self, rc);
    }
    if (id.len) {
        (void)sqlite3_bind_text(self->stmt, 1, id.ptr, (int)id.len, SQLITE_STATIC); /* a step would tell */
    }
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

static struct span cell_text(sqlite3_stmt *stmt, int at)
{
    const char *text = (const char *)sqlite3_column_text(stmt, at);

    return text ? (struct span){ text, (size_t)sqlite3_column_bytes(stmt, at) } : (struct span){ 0 };
}

static int cell_json(struct reading *self, int at, struct pack *out)
{
    struct json_opts opts = { .depth_max = DEPTH_MAX };
    int r = json_to_pack(cell_text(self->stmt, at), &opts, out, NULL);

    return r > 0
               ? unusable(self, "%s in a row of %s is no JSON", sqlite3_column_name(self->stmt, at), self->part->table)
               : r;
}

/* Where the column is, or -1 when this row has nothing there. */
static int cell_find(const struct reading *self, const char *name)
{
    int at = sqlite3_column_count(self->stmt) - 1; /* the last is the id once more */

    while (--at >= 0 && strcmp(sqlite3_column_name(self->stmt, at), name) != 0) {
    }
    return at >= 0 && sqlite3_column_type(self->stmt, at) == SQLITE_NULL ? -1 : at;
}

/* The members are kept as well, because they go before what other columns say. */
static int members_take(struct reading *self, int at)
{
    struct span key;
    struct span item;

    pack_reset(&self->members);
    int r = cell_json(self, at, &self->members);
    struct value_iter it = value_iter(pack_span(&self->members));
    if (!r && !it.is_map) {
        return unusable(self, "%s in a row of %s is no object", sqlite3_column_name(self->stmt, at), self->part->table);
    }
    while (!r && value_next(&it, &key, &item)) {
        pack_key_span(self->rows, key);
        pack_raw(self->rows, item);
    }
    return r;
}

static int cell_take(struct reading *self, const struct column *column, int at)
{
    if (column->key && value_get(pack_span(&self->members), column->key).len) {
        return 0;
    }
    switch (column->kind) {
    case KIND_TEXT:
        pack_kv_str(self->rows, column->key, cell_text(self->stmt, at));
        return 0;
    case KIND_NUMBER:
        pack_kv_i64(self->rows, column->key, sqlite3_column_int64(self->stmt, at));
        return 0;
    case KIND_FLAG:
        pack_kv_bool(self->rows, column->key, sqlite3_column_int64(self->stmt, at) != 0);
        return 0;
    case KIND_JSON:
        pack_key(self->rows, column->key);
        return cell_json(self, at, self->rows);
    case KIND_MEMBERS:
        return members_take(self, at);
    }
    return 0;
}

static int row_take(struct reading *self)
{
    const struct part *part = self->part;
    int r = 0;

    if (part->needed && cell_find(self, part->needed) < 0) {
        return 0;
    }
    pack_reset(&self->members);
    pack_key_span(self->rows, cell_text(self->stmt, sqlite3_column_count(self->stmt) - 1));
    pack_map_begin(self->rows);
    for (size_t i = 0; !r && i < COLUMNS_MAX && part->columns[i].name; i++) {
        int at = cell_find(self, part->columns[i].name);
        r = at < 0 ? 0 : cell_take(self, &part->columns[i], at);
    }
    pack_map_end(self->rows);
    return r;
}

static int rows_take(struct reading *self)
{
    int rc = sqlite3_step(self->stmt);
    int r = 0;

    for (unsigned n = 0; !r && rc == SQLITE_ROW; n++) {
        r = n == LEGACY_STATE_ROWS_MAX
                ? unusable(self, "%s has more than %d rows", self->part->table, LEGACY_STATE_ROWS_MAX)
                : row_take(self);
        rc = r ? SQLITE_DONE : sqlite3_step(self->stmt);
    }
    return r ? r : rc == SQLITE_DONE ? 0 : sqlite_outcome(self, rc);
}

int legacy_state_read(const char *path, enum legacy_state_part part, struct span id, struct pack *ret_rows,
                      char why[LEGACY_STATE_WHY_MAX])
{
    CLEANUP(reading_end) struct reading self = { .part = &parts[part], .rows = ret_rows, .why = why };

    why[0] = '\0';
    pack_init_secret(&self.members, LEGACY_STATE_BYTES_MAX);
    pack_init_secret(ret_rows, LEGACY_STATE_BYTES_MAX);
    int r = place_look(&self, path);
    r = r ? r : database_begin(&self, path);
    r = r ? r : table_look(&self);
    r = r ? r : statement_begin(&self, id);
    if (!r) {
        pack_map_begin(ret_rows);
        r = rows_take(&self);
        pack_map_end(ret_rows);
    }
    r = r ? r : pack_error(ret_rows);
    r = r == -E2BIG ? unusable(&self, "it holds more than %u bytes", LEGACY_STATE_BYTES_MAX) : r;
    if (r) {
        pack_deinit(ret_rows);
    }
    return r;
}
