#include "actors/auth/legacy.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "actors/auth/requests.h"
#include "bus/value.h"
#include "schema/base/json_file.h"

#define FILES_MARK "legacy-imported"
#define STATE_MARK "legacy-state-imported"
#define NOTHING ((struct span){ 0 })

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

static int record_read(struct span entry, struct device_record *record)
{
    struct span scopes = value_get(entry, "approvedScopes");
    int r = 0;

    scope_list_add(&record->scopes, scopes.len ? scopes : value_get(entry, "scopes"));
    record->created_ms = value_i64(value_get(entry, "createdAtMs"), 0);
    record->approved_ms = value_i64(value_get(entry, "approvedAtMs"), record->created_ms);
    for (unsigned i = 0; !r && i < DEVICES_ROLES; i++) {
        struct span token = value_get(value_get(entry, "tokens"), connect_role_name((enum connect_role)i));
        r = value_kind_of(token) == VALUE_MAP ? token_read(token, &record->tokens[i]) : 0;
    }
    return r;
}

static int device_import(struct store *store, struct span entry, struct legacy_counts *counts)
{
    struct span label = value_str(value_get(entry, "operatorLabel"), NOTHING);
    struct device_record record = { 0 };
    struct device_record known;
    bool is_known = false;

    if (!identity_read(entry, &record.identity)) {
        counts->left++;
        return 0;
    }
    int r = devices_find(store, record.identity.id, &is_known, &known);
    if (r || is_known) {
        return r;
    }
    r = record_read(entry, &record);
    r = r ? r : devices_import(store, &record);
    r = r || !label.len || label.len >= DEVICES_LABEL_MAX ? r : devices_label(store, record.identity.id, label);
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

static int entries_import(struct store *store, struct span devices, struct span requests, int64_t now_ms,
                          struct legacy_counts *counts)
{
    struct value_iter it = value_iter(devices);
    struct span key;
    struct span item;
    int r = 0;

    while (!r && it.is_map && value_next(&it, &key, &item)) {
        r = device_import(store, item, counts);
    }
    it = value_iter(requests);
    while (!r && it.is_map && value_next(&it, &key, &item)) {
        r = request_import(store, item, now_ms, counts);
    }
    return r;
}

/* One transaction, the mark in it. */
static int source_import(struct store *store, const char *mark, struct span devices, struct span requests,
                         int64_t now_ms, struct legacy_counts *counts)
{
    struct legacy_counts taken = *counts;
    int r = store_begin(store);

    taken.sources++;
    r = r ? r : entries_import(store, devices, requests, now_ms, &taken);
    r = r ? r : store_mark(store, mark);
    r = store_finish(store, r);
    if (!r) {
        *counts = taken;
    }
    return r;
}

/* --- the folder ------------------------------------------------------------------------ */

/* A file that is not there is an empty one. */
static int file_read(const char *folder, const char *name, struct pack *doc, bool *ret_is_found,
                     char why[LEGACY_WHY_MAX])
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_MAX) {
        return 0;
    }
    int r = json_file_read(path, doc);
    *ret_is_found = *ret_is_found || !r;
    if (r == JSON_FILE_E_UNUSABLE) {
        (void)snprintf(why, LEGACY_WHY_MAX, "%s cannot be read, is too large, or is no JSON", name); /* fits */
        return LEGACY_E_UNUSABLE;
    }
    return r == JSON_FILE_E_ABSENT ? 0 : r;
}

int legacy_import_files(struct store *store, const char *folder, int64_t now_ms, struct legacy_counts *ret_counts,
                        char why[LEGACY_WHY_MAX])
{
    struct pack devices;
    struct pack requests;
    bool is_found = false;
    bool is_done = false;
    int r = store_mark_read(store, FILES_MARK, &is_done);

    *ret_counts = (struct legacy_counts){ 0 };
    if (r || is_done) {
        return r;
    }
    pack_init(&devices, 0);
    pack_init(&requests, 0);
    r = file_read(folder, "paired.json", &devices, &is_found, why);
    r = r ? r : file_read(folder, "pending.json", &requests, &is_found, why);
    if (!r && is_found) {
        r = source_import(store, FILES_MARK, pack_span(&devices), pack_span(&requests), now_ms, ret_counts);
    }
    json_file_done(&devices);
    json_file_done(&requests);
    return r;
}

/* --- the database ------------------------------------------------------------------------ */

/* A table that is not there is an empty one, and an empty one was not found: pairings may come into it yet. */
static int part_read(const char *path, enum legacy_state_part part, struct pack *rows, bool *ret_is_found,
                     char why[LEGACY_WHY_MAX])
{
    int r = legacy_state_read(path, part, NOTHING, rows, why);

    *ret_is_found = *ret_is_found || value_count(pack_span(rows)) > 0;
    return r == LEGACY_STATE_E_ABSENT ? 0 : r == LEGACY_STATE_E_UNUSABLE ? LEGACY_E_UNUSABLE : r;
}

int legacy_import_state(struct store *store, const char *path, int64_t now_ms, struct legacy_counts *ret_counts,
                        char why[LEGACY_WHY_MAX])
{
    struct pack devices;
    struct pack requests;
    bool is_found = false;
    bool is_done = false;
    int r = store_mark_read(store, STATE_MARK, &is_done);

    *ret_counts = (struct legacy_counts){ 0 };
    if (r || is_done) {
        return r;
    }
    pack_init(&requests, 0);
    r = part_read(path, LEGACY_STATE_DEVICES, &devices, &is_found, why);
    r = r ? r : part_read(path, LEGACY_STATE_DEVICE_REQUESTS, &requests, &is_found, why);
    if (!r && is_found) {
        r = source_import(store, STATE_MARK, pack_span(&devices), pack_span(&requests), now_ms, ret_counts);
    }
    pack_deinit(&devices);
    pack_deinit(&requests);
    return r;
}
