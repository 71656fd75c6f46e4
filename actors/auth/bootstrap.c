#include "actors/auth/bootstrap.h"

#include <string.h>

#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/json_file.h"
#include "schema/base/legacy_state.h"

#define NOTHING ((struct span){ 0 })

static const char find_sql[] = "SELECT roles, scopes, issued_ms, device_id, used_ms FROM bootstrap WHERE digest = ?1";
static const char put_sql[] = "INSERT OR IGNORE INTO bootstrap VALUES (?1, ?2, ?3, ?4, ?5, NULL)";
static const char bind_sql[] = "UPDATE bootstrap SET device_id = ?2 WHERE digest = ?1 AND device_id IS NULL";
static const char redeem_sql[] = "UPDATE bootstrap SET used_ms = ?2 WHERE digest = ?1";
static const char prune_sql[] = "DELETE FROM bootstrap WHERE issued_ms < ?1 OR digest IN (SELECT digest FROM bootstrap"
                                " ORDER BY issued_ms DESC LIMIT -1 OFFSET ?2)";

uint32_t bootstrap_scopes_allowed(void)
{
    return scopes_parse("operator.approvals,operator.read,operator.talk,operator.talk.secrets,operator.write");
}

static int row_read(struct store *self, struct bootstrap *bootstrap, bool *ret_is_found)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, find_sql);
    char roles[DEVICES_ROLES_TEXT_MAX];
    char scopes[SCOPES_TEXT_MAX];

    *ret_is_found = false;
    db_bind_blob(stmt, 1, bootstrap->digest, sizeof(bootstrap->digest));
    int r = db_step(&self->db, stmt, ret_is_found);
    if (r || !*ret_is_found) {
        return r;
    }
    db_text(stmt, 0, roles, sizeof(roles));
    db_text(stmt, 1, scopes, sizeof(scopes));
    db_text(stmt, 3, bootstrap->device_id, sizeof(bootstrap->device_id));
    bootstrap->roles = devices_roles_parse(roles);
    bootstrap->scopes = scopes_parse(scopes);
    bootstrap->issued_ms = sqlite3_column_int64(stmt, 2);
    bootstrap->used_ms = sqlite3_column_int64(stmt, 4);
    db_done(stmt);
    return 0;
}

static int put(struct store *self, const struct bootstrap *bootstrap, int64_t now_ms)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, prune_sql);
    char roles[DEVICES_ROLES_TEXT_MAX];
    char scopes[SCOPES_TEXT_MAX];

    sqlite3_bind_int64(stmt, 1, now_ms - BOOTSTRAP_TTL_MS);
    sqlite3_bind_int64(stmt, 2, BOOTSTRAP_MAX - 1);
    int r = db_run(&self->db, stmt);
    if (r) {
        return r;
    }
    stmt = db_stmt(&self->db, put_sql);
    devices_roles_format(bootstrap->roles, roles);
    scopes_format(bootstrap->scopes, scopes);
    db_bind_blob(stmt, 1, bootstrap->digest, sizeof(bootstrap->digest));
    db_bind_text(stmt, 2, roles);
    db_bind_text(stmt, 3, scopes);
    sqlite3_bind_int64(stmt, 4, bootstrap->issued_ms);
    if (bootstrap->device_id[0]) {
        db_bind_text(stmt, 5, bootstrap->device_id);
    }
    return db_run(&self->db, stmt);
}

/* --- where the original puts them ------------------------------------------------------------- */

static uint32_t roles_of(struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;
    uint32_t roles = 0;

    while (!it.is_map && value_next(&it, &key, &item)) {
        roles |= span_is_text(value_str(item, NOTHING), "operator") ? 1U << CONNECT_ROLE_OPERATOR : 0;
        roles |= span_is_text(value_str(item, NOTHING), "node") ? 1U << CONNECT_ROLE_NODE : 0;
    }
    return roles;
}

static void entry_read(struct span entry, struct bootstrap *bootstrap)
{
    struct span profile = value_get(entry, "profile");
    struct span device = value_str(value_get(entry, "deviceId"), NOTHING);

    bootstrap->roles = roles_of(value_get(profile, "roles"));
    bootstrap->scopes = scopes_from_list(value_get(profile, "scopes")) & bootstrap_scopes_allowed();
    bootstrap->issued_ms = value_i64(value_get(entry, "issuedAtMs"), value_i64(value_get(entry, "ts"), 0));
    if (device.len == DEVICE_ID_LEN - 1) {
        memcpy(bootstrap->device_id, device.ptr, device.len);
    }
}

/* The entry of the token in a map of them, if it is there. */
static int entries_look(struct span entries, struct span token, struct bootstrap *bootstrap, bool *ret_is_found)
{
    struct value_iter it = value_iter(entries);
    struct span key;
    struct span item;
    int r = 0;

    while (!r && !*ret_is_found && it.is_map && value_next(&it, &key, &item)) {
        unsigned char digest[SECRET_DIGEST];
        r = secret_fingerprint(value_str(value_get(item, "token"), key), digest);
        if (!r && token.len && memcmp(digest, bootstrap->digest, sizeof(digest)) == 0) {
            entry_read(item, bootstrap);
            *ret_is_found = true;
        }
    }
    return r;
}

static int file_look(const char *file, struct span token, struct bootstrap *bootstrap, bool *ret_is_found)
{
    struct pack doc;
    int r = json_file_read(file, &doc);

    if (r) {
        return r < 0 ? r : 0;
    }
    r = entries_look(pack_span(&doc), token, bootstrap, ret_is_found);
    json_file_done(&doc);
    return r;
}

/* A database that cannot be read holds no code that would do. */
static int database_look(const char *database, struct span token, struct bootstrap *bootstrap, bool *ret_is_found)
{
    char why[LEGACY_STATE_WHY_MAX];
    struct pack rows;
    int r = token.len ? legacy_state_read(database, LEGACY_STATE_CODES, token, &rows, why) : LEGACY_STATE_E_ABSENT;

    if (r) {
        return r < 0 ? r : 0;
    }
    r = entries_look(pack_span(&rows), token, bootstrap, ret_is_found);
    pack_deinit(&rows);
    return r;
}

static int places_look(struct store *self, const struct bootstrap_places *places, struct span token, int64_t now_ms,
                       struct bootstrap *bootstrap, bool *ret_is_found)
{
    int r = file_look(places->file, token, bootstrap, ret_is_found);

    if (!r && !*ret_is_found) {
        r = database_look(places->database, token, bootstrap, ret_is_found);
    }
    return r || !*ret_is_found ? r : put(self, bootstrap, now_ms);
}

/* --- its life ------------------------------------------------------------------------ */

int bootstrap_find(struct store *self, const struct bootstrap_places *places, struct span token, int64_t now_ms,
                   bool *ret_is_found, struct bootstrap *ret_bootstrap)
{
    struct bootstrap bootstrap = { 0 };
    bool is_found = false;
    int r = secret_fingerprint(token, bootstrap.digest);

    r = r ? r : row_read(self, &bootstrap, &is_found);
    if (!r && !is_found) {
        r = places_look(self, places, token, now_ms, &bootstrap, &is_found);
    }
    *ret_is_found = !r && is_found && !bootstrap.used_ms && bootstrap.issued_ms <= now_ms + DEVICE_SKEW_MS &&
                    bootstrap.issued_ms > now_ms - BOOTSTRAP_TTL_MS;
    *ret_bootstrap = bootstrap;
    return r;
}

int bootstrap_bind(struct store *self, struct bootstrap *bootstrap, const char *device_id)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, bind_sql);

    db_bind_blob(stmt, 1, bootstrap->digest, sizeof(bootstrap->digest));
    db_bind_text(stmt, 2, device_id);
    memcpy(bootstrap->device_id, device_id, strlen(device_id) + 1);
    return db_run(&self->db, stmt);
}

int bootstrap_redeem(struct store *self, const struct bootstrap *bootstrap, int64_t now_ms)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, redeem_sql);

    db_bind_blob(stmt, 1, bootstrap->digest, sizeof(bootstrap->digest));
    sqlite3_bind_int64(stmt, 2, now_ms);
    return db_run(&self->db, stmt);
}

int bootstrap_keep(struct store *self, uint32_t roles, uint32_t scopes, int64_t now_ms, const char *token)
{
    struct bootstrap bootstrap = {
        .roles = roles,
        .scopes = scopes & bootstrap_scopes_allowed(),
        .issued_ms = now_ms,
    };
    int r = secret_fingerprint(span_from(token), bootstrap.digest);

    return r ? r : put(self, &bootstrap, now_ms);
}

int bootstrap_issue(struct store *self, uint32_t roles, uint32_t scopes, int64_t now_ms,
                    char ret_token[SECRET_TOKEN_LEN])
{
    int r = secret_token_generate(ret_token);

    return r ? r : bootstrap_keep(self, roles, scopes, now_ms, ret_token);
}
