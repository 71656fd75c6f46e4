#include "actors/auth/legacy.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/auth/requests.h"
#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema/base/json_file.h"

#define MARK "legacy-imported"
#define NOTHING ((struct span){ 0 })

/* --- the later database ----------------------------------------------------------------- */

static void statement_end(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
}

static void database_end(sqlite3 **db)
{
    sqlite3_close(*db);
}

static int profile_pack(sqlite3_stmt *stmt, struct pack *out)
{
    struct json_opts opts = { .depth_max = 8 };
    struct json_error error;
    const char *profile = (const char *)sqlite3_column_text(stmt, 0);
    const char *device = (const char *)sqlite3_column_text(stmt, 2);

    pack_map_begin(out);
    pack_kv_i64(out, "issuedAtMs", sqlite3_column_int64(stmt, 1));
    if (device) {
        pack_kv_text(out, "deviceId", device);
    }
    pack_key(out, "profile");
    int r = json_to_pack(span_from(profile ? profile : "{}"), &opts, out, &error);
    pack_map_end(out);
    return r ? r : pack_error(out);
}

int legacy_code_read(const char *path, struct span token, struct pack *ret_entry)
{
    CLEANUP(database_end) sqlite3 *db = NULL;
    CLEANUP(statement_end) sqlite3_stmt *stmt = NULL;
    static const char sql[] =
        "SELECT profile_json, issued_at_ms, device_id FROM device_bootstrap_tokens WHERE token = ?1";

    if (access(path, R_OK) || sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        return LEGACY_E_ABSENT;
    }
    db_bind_span(stmt, 1, token);
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        return LEGACY_E_ABSENT;
    }
    pack_init(ret_entry, JSON_FILE_MAX);
    int r = profile_pack(stmt, ret_entry);
    if (r) {
        json_file_done(ret_entry);
    }
    return r > 0 ? LEGACY_E_UNUSABLE : r;
}

/* --- entries ------------------------------------------------------------------------ */

static void text_take(struct span entry, const char *key, char *out, size_t out_len)
{
    struct span text = value_str(value_get(entry, key), NOTHING);

    snprintf(out, out_len, "%.*s", SPAN_FMT(text));
}

/* False when the id is not that of the key: nobody could ever sign as this device. */
static bool identity_read(struct span entry, struct device_identity *identity)
{
    unsigned char key[32];
    char id[DEVICE_ID_LEN];

    *identity = (struct device_identity){ 0 };
    if (!device_key_decode(value_str(value_get(entry, "publicKey"), NOTHING), key)) {
        return false;
    }
    device_id_of(key, id);
    device_key_encode(key, identity->public_key);
    text_take(entry, "deviceId", identity->id, sizeof(identity->id));
    text_take(entry, "displayName", identity->display_name, sizeof(identity->display_name));
    text_take(entry, "platform", identity->platform, sizeof(identity->platform));
    text_take(entry, "deviceFamily", identity->device_family, sizeof(identity->device_family));
    text_take(entry, "clientId", identity->client_id, sizeof(identity->client_id));
    text_take(entry, "clientMode", identity->client_mode, sizeof(identity->client_mode));
    text_take(entry, "remoteIp", identity->remote_ip, sizeof(identity->remote_ip));
    bool is_node = span_is_text(value_str(value_get(entry, "role"), NOTHING), "node");
    identity->role = is_node ? CONNECT_ROLE_NODE : CONNECT_ROLE_OPERATOR;
    return strcmp(identity->id, id) == 0;
}

static int token_read(struct span entry, struct device_token *token)
{
    struct span text = value_str(value_get(entry, "token"), NOTHING);

    *token = (struct device_token){
        .is_approved = true,
        .is_usable = text.len > 0,
        .scopes = scopes_expand(scopes_from_list(value_get(entry, "scopes"))),
        .created_ms = value_i64(value_get(entry, "createdAtMs"), 0),
        .rotated_ms = value_i64(value_get(entry, "rotatedAtMs"), 0),
        .revoked_ms = value_i64(value_get(entry, "revokedAtMs"), 0),
    };
    return text.len ? secret_fingerprint(text, token->digest) : 0;
}

static int device_import(struct store *store, struct span entry, struct legacy_counts *counts)
{
    struct device_record record = { 0 };
    int r = 0;

    if (!identity_read(entry, &record.identity)) {
        counts->left++;
        return 0;
    }
    struct span scopes = value_get(entry, "approvedScopes");
    scope_list_add(&record.scopes, scopes.len ? scopes : value_get(entry, "scopes"));
    record.created_ms = value_i64(value_get(entry, "createdAtMs"), 0);
    record.approved_ms = value_i64(value_get(entry, "approvedAtMs"), record.created_ms);
    for (unsigned i = 0; !r && i < DEVICES_ROLES; i++) {
        struct span token = value_get(value_get(entry, "tokens"), connect_role_name((enum connect_role)i));
        r = value_kind_of(token) == VALUE_MAP ? token_read(token, &record.tokens[i]) : 0;
    }
    r = r ? r : devices_import(store, &record);
    counts->devices += !r;
    return r;
}

static int request_import(struct store *store, struct span entry, int64_t now_ms, struct legacy_counts *counts)
{
    struct pair_request request = { 0 };
    int64_t ts = value_i64(value_get(entry, "ts"), 0);
    bool is_new = false;

    if (ts < now_ms - REQUESTS_TTL_MS || ts > now_ms) {
        return 0;
    }
    if (!identity_read(entry, &request.identity)) {
        counts->left++;
        return 0;
    }
    request.roles = 1U << request.identity.role;
    scope_list_add(&request.scopes, value_get(entry, "scopes"));
    request.is_repair = value_bool(value_get(entry, "isRepair"), false);
    int r = requests_put(store, &request, ts, &is_new);
    counts->requests += !r;
    return r;
}

/* --- all of it ----------------------------------------------------------------------- */

static int file_import(struct store *store, const char *folder, const char *name, int64_t now_ms,
                       struct legacy_counts *counts)
{
    bool is_paired = strcmp(name, "paired.json") == 0;
    char path[PATH_MAX];
    struct pack doc;
    struct span key;
    struct span item;

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_MAX) {
        return 0;
    }
    int r = json_file_read(path, &doc);
    if (r) {
        counts->left += r == JSON_FILE_E_UNUSABLE;
        return r < 0 ? r : 0;
    }
    counts->files++;
    struct value_iter it = value_iter(pack_span(&doc));
    while (!r && it.is_map && value_next(&it, &key, &item)) {
        r = is_paired ? device_import(store, item, counts) : request_import(store, item, now_ms, counts);
    }
    json_file_done(&doc);
    return r;
}

int legacy_import(struct store *store, const char *folder, int64_t now_ms, struct legacy_counts *ret_counts)
{
    struct legacy_counts counts = { 0 };
    bool is_done = false;
    int r = store_mark_read(store, MARK, &is_done);

    *ret_counts = counts;
    if (r || is_done) {
        return r;
    }
    r = store_begin(store);
    r = r ? r : file_import(store, folder, "paired.json", now_ms, &counts);
    r = r ? r : file_import(store, folder, "pending.json", now_ms, &counts);
    r = r || !counts.files ? r : store_mark(store, MARK);
    r = store_finish(store, r);
    if (!r) {
        *ret_counts = counts;
    }
    return r;
}
