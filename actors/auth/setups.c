#include "actors/auth/setups.h"

#include <string.h>

#include "bus/base/cleanup.h"

#define NODE (1U << CONNECT_ROLE_NODE)
#define OPERATOR (1U << CONNECT_ROLE_OPERATOR)

static const char put_sql[] = "INSERT INTO setup VALUES (?1, ?2, ?3, ?4, NULL, NULL, NULL)";
static const char prune_sql[] = "DELETE FROM setup WHERE issued_ms < ?1";
static const char done_sql[] = "UPDATE setup SET device_id = ?2, device_name = ?3, done_ms = ?4 WHERE digest = ?1"
                               " AND done_ms IS NULL";
static const char find_sql[] = "SELECT id, access, device_id, device_name, done_ms FROM setup"
                               " WHERE id = ?1 AND issued_ms > ?2";
static const char digest_sql[] = "SELECT id, access, device_id, device_name, done_ms FROM setup WHERE digest = ?1";

/* No code brings operator.admin: it may be read off a screen by whoever passes by. A phone that wants it asks. */
static const struct setup_profile profiles[] = {
    { "", NODE | OPERATOR, "operator.approvals,operator.read,operator.talk.secrets,operator.write", "limited" },
    { "limited", NODE | OPERATOR, "operator.approvals,operator.read,operator.talk.secrets,operator.write", "limited" },
    { "node", NODE, "", "node" },
    { "voice-node", NODE | OPERATOR, "operator.read,operator.talk", "limited" },
};

const struct setup_profile *setups_profile(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        if (span_is_text(name, profiles[i].name)) {
            return &profiles[i];
        }
    }
    return NULL;
}

static int put(struct store *self, const char *id, const char *token, const char *access, int64_t now_ms)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, prune_sql);
    unsigned char digest[SECRET_DIGEST];

    sqlite3_bind_int64(stmt, 1, now_ms - SETUPS_KEPT_MS);
    int r = db_run(&self->db, stmt);
    r = r ? r : secret_fingerprint(span_from(token), digest);
    if (r) {
        return r;
    }
    stmt = db_stmt(&self->db, put_sql);
    db_bind_text(stmt, 1, id);
    db_bind_blob(stmt, 2, digest, sizeof(digest));
    db_bind_text(stmt, 3, access);
    sqlite3_bind_int64(stmt, 4, now_ms);
    return db_run(&self->db, stmt);
}

int setups_put(struct store *self, const struct setup_profile *profile, const char *token, int64_t now_ms,
               char ret_id[SETUPS_ID_LEN])
{
    int r = secret_uuid_generate(ret_id);

    r = r ? r : bootstrap_keep(self, profile->roles, scopes_parse(profile->scopes), now_ms, token);
    return r ? r : put(self, ret_id, token, profile->access, now_ms);
}

static int row_read(struct db *db, sqlite3_stmt *stmt, bool *ret_is_found, struct setup *ret_setup)
{
    int r = db_step(db, stmt, ret_is_found);

    *ret_setup = (struct setup){ .id = "" };
    if (r || !*ret_is_found) {
        return r;
    }
    db_text(stmt, 0, ret_setup->id, sizeof(ret_setup->id));
    db_text(stmt, 1, ret_setup->access, sizeof(ret_setup->access));
    db_text(stmt, 2, ret_setup->device_id, sizeof(ret_setup->device_id));
    db_text(stmt, 3, ret_setup->device_name, sizeof(ret_setup->device_name));
    ret_setup->done_ms = sqlite3_column_int64(stmt, 4);
    db_done(stmt);
    return 0;
}

int setups_complete(struct store *self, const struct bootstrap *bootstrap, const struct device_identity *identity,
                    int64_t now_ms, bool *ret_is_ours, struct setup *ret_setup)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, done_sql);

    db_bind_blob(stmt, 1, bootstrap->digest, sizeof(bootstrap->digest));
    db_bind_text(stmt, 2, identity->id);
    db_bind_text(stmt, 3, identity->display_name);
    sqlite3_bind_int64(stmt, 4, now_ms);
    int r = db_run(&self->db, stmt);
    if (r) {
        return r;
    }
    stmt = db_stmt(&self->db, digest_sql);
    db_bind_blob(stmt, 1, bootstrap->digest, sizeof(bootstrap->digest));
    return row_read(&self->db, stmt, ret_is_ours, ret_setup);
}

int setups_find(struct store *self, const char *id, int64_t now_ms, bool *ret_is_found, struct setup *ret_setup)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, find_sql);

    db_bind_text(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, now_ms - SETUPS_KEPT_MS);
    return row_read(&self->db, stmt, ret_is_found, ret_setup);
}

void setups_pack(const struct setup *setup, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "setupId", setup->id);
    pack_kv_text(out, "deviceId", setup->device_id);
    if (setup->device_name[0]) {
        pack_kv_text(out, "deviceName", setup->device_name);
    }
    pack_kv_text(out, "access", setup->access);
    pack_kv_i64(out, "ts", setup->done_ms);
    pack_map_end(out);
}
