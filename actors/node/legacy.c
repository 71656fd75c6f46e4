/*
 * legacy: the nodes that the original had paired, and those that were asking.
 */
#include <limits.h>
#include <stdio.h>

#include "actors/node/node_state.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/json_file.h"

#define MARK SPAN_LIT("legacy-imported")
#define ID_MAX 512U
#define TEXT_MAX 4096U
#define LIST_MAX 1024U

struct counts {
    unsigned nodes;
    unsigned requests;
    unsigned left; /* entries that could not be understood, or for which there is no room */
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

static int paired_import(struct node *self, struct span entry, struct counts *counts)
{
    struct span token = map_text(entry, "token");
    int64_t created_ms = value_i64(value_get(entry, "createdAtMs"), 0);
    int64_t approved_ms = value_i64(value_get(entry, "approvedAtMs"), created_ms);

    if (!token.len || token.len > ID_MAX || !entry_begin(entry, &self->scratch)) {
        counts->left++;
        return 0;
    }
    pack_kv_str(&self->scratch, "token", token);
    pack_kv_i64(&self->scratch, "createdAtMs", created_ms);
    pack_kv_i64(&self->scratch, "approvedAtMs", approved_ms);
    int r = entry_put(self, KIND_PAIRED, map_text(entry, "nodeId"), (struct span){ 0 }, approved_ms, &counts->nodes,
                      &counts->left);
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

static int file_import(struct node *self, const char *dir, const char *name,
                       int (*take)(struct node *self, struct span entry, struct counts *counts), bool *ret_is_found,
                       struct counts *counts)
{
    char path[PATH_MAX];
    struct pack doc;
    struct span key;
    struct span item;

    if (snprintf(path, sizeof(path), "%s/nodes/%s", dir, name) >= PATH_MAX) {
        return FAULT(-ENAMETOOLONG);
    }
    int r = json_file_read(path, &doc);
    if (r) {
        counts->left += r == JSON_FILE_E_UNUSABLE;
        return r < 0 ? r : 0;
    }
    *ret_is_found = true;
    struct value_iter iter = value_iter(pack_span(&doc));
    while (!r && iter.is_map && value_next(&iter, &key, &item)) {
        r = take(self, item, counts);
    }
    json_file_done(&doc);
    return r;
}

/* A crash in between takes the same entries over once more, under the same ids. */
int legacy_take(struct node *self, const char *state_dir)
{
    struct counts counts = { 0 };
    bool is_found = false;

    if (shelf_find(self->shelf, KIND_MARK, MARK)) {
        return 0;
    }
    int r = file_import(self, state_dir, "paired.json", paired_import, &is_found, &counts);
    r = r ? r : file_import(self, state_dir, "pending.json", request_import, &is_found, &counts);
    if (!r && is_found) {
        static const uint8_t nothing[] = { 0xc0 };

        r = shelf_put(self->shelf, KIND_MARK, MARK, (struct span){ 0 }, clock_wall_ms(),
                      (struct span){ (const char *)nothing, sizeof(nothing) });
        r = r > 0 ? FAULT(-EIO) : r;
    }
    mem_wipe(self->scratch.data, self->scratch.len);
    if (!r && (is_found || counts.left)) {
        log_info("nodes_imported", "nodes=%u requests=%u left=%u", counts.nodes, counts.requests, counts.left);
    }
    return r;
}
