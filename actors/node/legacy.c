/*
 * legacy: the nodes that the original had paired, and those that were asking; its later generation counts first.
 */
#include <limits.h>
#include <stdio.h>

#include "actors/node/node_state.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/json_file.h"
#include "schema/base/legacy_state.h"

#define ID_MAX 512U
#define TEXT_MAX 4096U
#define LIST_MAX 1024U

struct counts {
    unsigned nodes;
    unsigned requests;
    unsigned left; /* entries that could not be understood, or for which there is no room */
};

/* One of the two places in which the original kept them, each read whole before anything of it is taken over. */
struct source {
    const char *mark; /* on our shelf, once it has been taken over */
    const char *place;
    bool has_tokens; /* a node without one is none */
    int (*read)(const char *path, struct pack *paired, struct pack *requests, bool *ret_is_found,
                char why[LEGACY_STATE_WHY_MAX]);
};

static const char *const texts[] = { "displayName", "platform",     "version",         "coreVersion",
                                     "uiVersion",   "deviceFamily", "modelIdentifier", "remoteIp" };
static const char *const lists[] = { "caps", "commands" };

static void list_copy(struct span entry, const char *key, struct pack *out)
{
    struct value_iter iter = value_iter(value_get(entry, key));
    struct span name;
    struct span item;

    if (value_kind_of(value_get(entry, key)) != VALUE_ARRAY) {
        return;
    }
    pack_key(out, key);
    pack_array_begin(out);
    for (unsigned n = 0; n < LIST_MAX && value_next(&iter, &name, &item); n++) {
        struct span text = value_str(item, (struct span){ 0 });

        if (text.len && text.len <= ID_MAX) {
            pack_str(out, text);
        }
    }
    pack_array_end(out);
}

/* Only what is known here is taken over; the map stays open. False when the entry names no node. */
static bool entry_begin(struct span entry, struct pack *out)
{
    struct span id = map_text(entry, "nodeId");

    pack_reset(out);
    if (!id.len || id.len > ID_MAX) {
        return false;
    }
    pack_map_begin(out);
    pack_kv_str(out, "nodeId", id);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct span text = map_text(entry, texts[i]);

        pack_kv_some(out, texts[i], text.len <= TEXT_MAX ? text : (struct span){ 0 });
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        list_copy(entry, lists[i], out);
    }
    return true;
}

/* An entry that does not fit is left, and a full shelf leaves it too. */
static int entry_put(struct node *self, unsigned kind, struct span id, struct span owner, int64_t at_ms,
                     unsigned *taken, unsigned *left)
{
    int r;

    pack_map_end(&self->scratch);
    r = pack_error(&self->scratch);
    r = r ? r : shelf_put(self->shelf, kind, id, owner, at_ms, pack_span(&self->scratch));
    *taken += r == 0;
    *left += r == SHELF_E_FULL;
    return r == SHELF_E_FULL ? 0 : r == SHELF_E_DISK ? FAULT(-EIO) : r;
}

static int seen_import(struct node *self, struct span entry, struct counts *counts)
{
    static const char *const times[] = { "lastConnectedAtMs", "lastSeenAtMs" };
    struct span id = map_text(entry, "nodeId");
    struct span reason = map_text(entry, "lastSeenReason");
    unsigned n = 0;
    int64_t newest = 0;

    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int64_t at_ms = value_i64(value_get(entry, times[i]), 0);

        if (at_ms > 0) {
            pack_kv_i64(&self->scratch, times[i], at_ms);
            newest = at_ms > newest ? at_ms : newest;
        }
    }
    pack_kv_some(&self->scratch, "lastSeenReason", reason.len <= ID_MAX ? reason : (struct span){ 0 });
    return newest ? entry_put(self, KIND_SEEN, id, (struct span){ 0 }, newest, &n, &counts->left) : 0;
}

/* The later generation knows no tokens of nodes: then it gets a new one, as with an approval. */
static void token_pack(struct span given, struct pack *out)
{
    char fresh[IDS_TOKEN_MAX];

    if (given.len) {
        pack_kv_str(out, "token", given);
        return;
    }
    ids_token(fresh);
    pack_kv_text(out, "token", fresh);
    mem_wipe(fresh, sizeof(fresh));
}

static int paired_import(struct node *self, const struct source *source, struct span entry, struct counts *counts)
{
    struct span id = map_text(entry, "nodeId");
    struct span token = map_text(entry, "token");
    int64_t created_ms = value_i64(value_get(entry, "createdAtMs"), 0);
    int64_t approved_ms = value_i64(value_get(entry, "approvedAtMs"), created_ms);

    if ((!token.len && source->has_tokens) || token.len > ID_MAX || !entry_begin(entry, &self->scratch)) {
        counts->left++;
        return 0;
    }
    if (shelf_find(self->shelf, KIND_PAIRED, id)) {
        return 0; /* what is known here already stays as it is */
    }
    token_pack(token, &self->scratch);
    pack_kv_i64(&self->scratch, "createdAtMs", created_ms);
    pack_kv_i64(&self->scratch, "approvedAtMs", approved_ms);
    int r = entry_put(self, KIND_PAIRED, id, (struct span){ 0 }, approved_ms, &counts->nodes, &counts->left);
    return r ? r : seen_import(self, entry, counts);
}

static int request_import(struct node *self, struct span entry, struct counts *counts)
{
    struct span id = map_text(entry, "requestId");
    int64_t ts = value_i64(value_get(entry, "ts"), 0);
    int64_t now_ms = clock_wall_ms();

    if (ts > now_ms || now_ms - ts > PAIRING_REQUEST_TTL_MS) {
        return 0; /* nobody answered it in time */
    }
    if (!id.len || id.len >= IDS_UUID_MAX || !entry_begin(entry, &self->scratch)) {
        counts->left++;
        return 0;
    }
    pack_kv_str(&self->scratch, "requestId", id);
    pack_kv_bool(&self->scratch, "silent", value_bool(value_get(entry, "silent"), false));
    pack_kv_i64(&self->scratch, "ts", ts);
    return entry_put(self, KIND_REQUEST, id, map_text(entry, "nodeId"), ts, &counts->requests, &counts->left);
}

/* --- where they come from ----------------------------------------------------------------- */

static int entries_import(struct node *self, const struct source *source, struct span paired, struct span requests,
                          struct counts *counts)
{
    struct value_iter iter = value_iter(paired);
    struct span key;
    struct span item;
    int r = 0;

    while (!r && iter.is_map && value_next(&iter, &key, &item)) {
        r = paired_import(self, source, item, counts);
    }
    iter = value_iter(requests);
    while (!r && iter.is_map && value_next(&iter, &key, &item)) {
        r = request_import(self, item, counts);
    }
    return r;
}

/* A crash in between takes over what is still missing, under the same ids. */
static int source_import(struct node *self, const struct source *source, const char *path, struct span paired,
                         struct span requests)
{
    static const uint8_t nothing[] = { 0xc0 };
    struct counts counts = { 0 };
    int r = entries_import(self, source, paired, requests, &counts);

    r = r ? r
          : shelf_put(self->shelf, KIND_MARK, span_from(source->mark), (struct span){ 0 }, clock_wall_ms(),
                      (struct span){ (const char *)nothing, sizeof(nothing) });
    mem_wipe(self->scratch.data, self->scratch.len);
    if (!r) {
        log_info("nodes_imported", "from=%s nodes=%u requests=%u left=%u", path, counts.nodes, counts.requests,
                 counts.left);
    }
    return r > 0 ? FAULT(-EIO) : r;
}

/* What is not there is empty; on LEGACY_STATE_E_UNUSABLE `why` tells. */
static int file_read(const char *folder, const char *name, struct pack *doc, bool *ret_is_found,
                     char why[LEGACY_STATE_WHY_MAX])
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_MAX) {
        return FAULT(-ENAMETOOLONG);
    }
    int r = json_file_read(path, doc);
    *ret_is_found = *ret_is_found || !r;
    if (r == JSON_FILE_E_UNUSABLE) {
        (void)snprintf(why, LEGACY_STATE_WHY_MAX, "%s cannot be read, is too large, or is no JSON", name); /* fits */
        return LEGACY_STATE_E_UNUSABLE;
    }
    return r == JSON_FILE_E_ABSENT ? 0 : r;
}

static int folder_read(const char *path, struct pack *paired, struct pack *requests, bool *ret_is_found,
                       char why[LEGACY_STATE_WHY_MAX])
{
    int r = file_read(path, "paired.json", paired, ret_is_found, why);

    return r ? r : file_read(path, "pending.json", requests, ret_is_found, why);
}

/* A database without nodes was not found: some may come into it yet. */
static int state_read(const char *path, struct pack *paired, struct pack *requests, bool *ret_is_found,
                      char why[LEGACY_STATE_WHY_MAX])
{
    struct span all = { 0 };
    int r = legacy_state_read(path, LEGACY_STATE_NODES, all, paired, why);

    r = r ? r : legacy_state_read(path, LEGACY_STATE_NODE_REQUESTS, all, requests, why);
    *ret_is_found = value_count(pack_span(paired)) + value_count(pack_span(requests)) > 0;
    return r == LEGACY_STATE_E_ABSENT ? 0 : r;
}

static int source_take(struct node *self, const struct source *source, const char *state_dir)
{
    char why[LEGACY_STATE_WHY_MAX] = "";
    char path[PATH_MAX];
    struct pack paired;
    struct pack requests;
    bool is_found = false;

    if (shelf_find(self->shelf, KIND_MARK, span_from(source->mark))) {
        return 0;
    }
    if (snprintf(path, sizeof(path), "%s/%s", state_dir, source->place) >= PATH_MAX) {
        return FAULT(-ENAMETOOLONG);
    }
    pack_init(&paired, 0);
    pack_init(&requests, 0);
    int r = source->read(path, &paired, &requests, &is_found, why);
    if (r == LEGACY_STATE_E_UNUSABLE) {
        log_warning("nodes_not_imported",
                    "from=%s problem=\"%s\" fix=\"put back a copy of it and restart the gateway, or move it away\"",
                    path, why);
    }
    if (!r && is_found) {
        r = source_import(self, source, path, pack_span(&paired), pack_span(&requests));
    }
    pack_deinit(&paired);
    pack_deinit(&requests);
    return r > 0 ? 0 : r;
}

int legacy_take(struct node *self, const char *state_dir)
{
    static const struct source sources[] = { { "legacy-state-imported", "state/openclaw.sqlite", false, state_read },
                                             { "legacy-imported", "nodes", true, folder_read } };
    int r = 0;

    for (size_t i = 0; !r && i < ARRAY_LEN(sources); i++) {
        r = source_take(self, &sources[i], state_dir);
    }
    return r;
}
