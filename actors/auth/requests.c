#include "actors/auth/requests.h"

#include <string.h>

#define COLUMNS                                                                                                        \
    "id, device_id, public_key, display_name, platform, device_family, client_id, client_mode, remote_ip, role,"       \
    " roles, scopes, is_repair, created_ms"

static const char find_sql[] = "SELECT " COLUMNS " FROM request WHERE id = ?1 AND created_ms >= ?2";
static const char of_device_sql[] = "SELECT " COLUMNS " FROM request WHERE device_id = ?1 AND created_ms >= ?2";
static const char each_sql[] = "SELECT " COLUMNS " FROM request WHERE created_ms >= ?1 ORDER BY created_ms DESC, id";
static const char prune_sql[] = "DELETE FROM request WHERE created_ms < ?1 OR id IN (SELECT id FROM request"
                                " ORDER BY created_ms DESC LIMIT -1 OFFSET ?2)";
static const char put_sql[] =
    "INSERT OR REPLACE INTO request VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
static const char drop_sql[] = "DELETE FROM request WHERE id = ?1";
static const char drop_device_sql[] = "DELETE FROM request WHERE device_id = ?1";

static void request_read(sqlite3_stmt *stmt, struct pair_request *request)
{
    char roles[DEVICES_ROLES_TEXT_MAX];
    char scopes[SCOPES_TEXT_MAX];

    *request = (struct pair_request){ 0 };
    db_text(stmt, 0, request->id, sizeof(request->id));
    devices_identity_read(stmt, 1, &request->identity);
    db_text(stmt, 10, roles, sizeof(roles));
    db_text(stmt, 11, scopes, sizeof(scopes));
    request->roles = devices_roles_parse(roles);
    scope_list_parse(&request->scopes, scopes);
    request->is_repair = sqlite3_column_int(stmt, 12) != 0;
    request->created_ms = sqlite3_column_int64(stmt, 13);
}

static int one_read(struct store *self, const char *sql, const char *key, int64_t now_ms, bool *ret_is_found,
                    struct pair_request *ret_request)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, sql);

    *ret_is_found = false;
    db_bind_text(stmt, 1, key);
    sqlite3_bind_int64(stmt, 2, now_ms - REQUESTS_TTL_MS);
    int r = db_step(&self->db, stmt, ret_is_found);
    if (!r && *ret_is_found) {
        request_read(stmt, ret_request);
        db_done(stmt);
    }
    return r;
}

int requests_find(struct store *self, const char *id, int64_t now_ms, bool *ret_is_found,
                  struct pair_request *ret_request)
{
    return one_read(self, find_sql, id, now_ms, ret_is_found, ret_request);
}

int requests_each(struct store *self, int64_t now_ms, int (*each)(void *arg, const struct pair_request *request),
                  void *arg)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, each_sql);
    struct pair_request request;
    bool is_row = true;
    int r = 0;

    sqlite3_bind_int64(stmt, 1, now_ms - REQUESTS_TTL_MS);
    while (!r && is_row) {
        r = db_step(&self->db, stmt, &is_row);
        if (!r && is_row) {
            request_read(stmt, &request);
            r = each(arg, &request);
            if (r) {
                db_done(stmt);
            }
        }
    }
    return r;
}

static int prune(struct store *self, int64_t now_ms)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, prune_sql);

    sqlite3_bind_int64(stmt, 1, now_ms - REQUESTS_TTL_MS);
    sqlite3_bind_int64(stmt, 2, REQUESTS_MAX - 1);
    return db_run(&self->db, stmt);
}

static int write(struct store *self, const struct pair_request *request)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, put_sql);
    char roles[DEVICES_ROLES_TEXT_MAX];
    char scopes[SCOPES_TEXT_MAX];

    devices_roles_format(request->roles, roles);
    scope_list_format(&request->scopes, scopes);
    db_bind_text(stmt, 1, request->id);
    devices_identity_bind(stmt, 2, &request->identity);
    db_bind_text(stmt, 11, roles);
    db_bind_text(stmt, 12, scopes);
    sqlite3_bind_int(stmt, 13, request->is_repair);
    sqlite3_bind_int64(stmt, 14, request->created_ms);
    return db_run(&self->db, stmt);
}

int requests_put(struct store *self, struct pair_request *request, int64_t now_ms, bool *ret_is_new)
{
    struct pair_request before;
    bool is_found = false;
    int r = prune(self, now_ms);

    r = r ? r : one_read(self, of_device_sql, request->identity.id, now_ms, &is_found, &before);
    r = r ? r : secret_uuid_generate(request->id);
    if (r) {
        return r;
    }
    *ret_is_new = true;
    request->created_ms = now_ms;
    if (is_found) {
        bool is_covered = !(scope_list_mask(&request->scopes) & ~scope_list_mask(&before.scopes)) &&
                          !(request->roles & ~before.roles);
        if (is_covered) {
            memcpy(request->id, before.id, sizeof(request->id));
            *ret_is_new = false;
        }
        scope_list_merge(&before.scopes, &request->scopes);
        request->scopes = before.scopes;
        request->roles |= before.roles;
    }
    return write(self, request);
}

int requests_drop(struct store *self, const char *id)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, drop_sql);

    db_bind_text(stmt, 1, id);
    return db_run(&self->db, stmt);
}

int requests_drop_device(struct store *self, const char *device_id)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, drop_device_sql);

    db_bind_text(stmt, 1, device_id);
    return db_run(&self->db, stmt);
}
