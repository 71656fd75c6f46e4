/*
 * catalog: every node there is, from its connection, its pairing and when it was last seen.
 */
#include <stdlib.h>
#include <strings.h>

#include "actors/node/node_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define ROWS_MAX (NODE_SESSIONS_MAX + NODE_PAIRED_MAX + NODE_SEEN_MAX)
#define WORDS_MAX 1024U

struct row {
    struct span id;
    const struct session *live;
    struct span paired; /* body, or empty */
    struct span seen;   /* the same */
};

static struct span first_of(struct span a, struct span b, struct span c)
{
    return a.len ? a : b.len ? b : c;
}

static struct row row_of(const struct node *self, struct span id)
{
    const struct shelf_item *paired = shelf_find(self->shelf, KIND_PAIRED, id);
    const struct shelf_item *seen = shelf_find(self->shelf, KIND_SEEN, id);

    return (struct row){
        .id = id,
        .live = session_of_node(self, id),
        .paired = paired ? paired->body : (struct span){ 0 },
        .seen = seen ? seen->body : (struct span){ 0 },
    };
}

static bool is_known(const struct row *row)
{
    return row->live || row->paired.len || row->seen.len;
}

/* The name that an operator gave it wins over what it calls itself. */
static struct span name_of(const struct row *row)
{
    struct span given = map_text(row->paired, "_name");
    struct span own = row->live ? row->live->who.display_name : (struct span){ 0 };

    return given.len ? given : first_of(own, map_text(row->paired, "displayName"), map_text(row->seen, "displayName"));
}

/* --- one row ---------------------------------------------------------------------------------- */

static int span_compare(const void *a, const void *b)
{
    const struct span *left = a;
    const struct span *right = b;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = len ? memcmp(left->ptr, right->ptr, len) : 0;

    return order ? order : (left->len > right->len) - (left->len < right->len);
}

/* Sorted, each once. */
static void words_pack(const char *key, struct span list, struct pack *out)
{
    struct span words[WORDS_MAX];
    struct value_iter iter = value_iter(list);
    struct span name;
    struct span item;
    size_t words_n = 0;

    while (words_n < WORDS_MAX && value_next(&iter, &name, &item)) {
        words[words_n] = value_str(item, (struct span){ 0 });
        words_n += words[words_n].len > 0;
    }
    qsort(words, words_n, sizeof(*words), span_compare);
    pack_key(out, key);
    pack_array_begin(out);
    for (size_t i = 0; i < words_n; i++) {
        if (i == 0 || !span_is(words[i], words[i - 1])) {
            pack_str(out, words[i]);
        }
    }
    pack_array_end(out);
}

static void who_pack(const struct row *row, struct pack *out)
{
    static const struct msg_node_join nobody;
    const struct msg_node_join *who = row->live ? &row->live->who : &nobody;
    struct span paired = row->paired;
    struct span none = { 0 };

    pack_kv_str(out, "nodeId", row->id);
    pack_kv_some(out, "displayName", name_of(row));
    pack_kv_some(out, "platform",
                 first_of(who->platform, map_text(paired, "platform"), map_text(row->seen, "platform")));
    pack_kv_some(out, "version", first_of(who->version, map_text(paired, "version"), none));
    pack_kv_some(out, "coreVersion", map_text(paired, "coreVersion"));
    pack_kv_some(out, "uiVersion", map_text(paired, "uiVersion"));
    pack_kv_some(out, "clientId", first_of(who->client_id, map_text(row->seen, "clientId"), none));
    pack_kv_some(out, "clientMode", first_of(who->client_mode, map_text(row->seen, "clientMode"), none));
    pack_kv_some(out, "deviceFamily", first_of(who->device_family, map_text(paired, "deviceFamily"), none));
    pack_kv_some(out, "modelIdentifier", first_of(who->model_identifier, map_text(paired, "modelIdentifier"), none));
    pack_kv_some(out, "remoteIp",
                 first_of(who->remote_ip, map_text(paired, "remoteIp"), map_text(row->seen, "remoteIp")));
}

static void powers_pack(const struct row *row, struct pack *out)
{
    if (!row->live) {
        words_pack("caps", value_get(row->paired, "caps"), out);
        words_pack("commands", value_get(row->paired, "commands"), out);
        return;
    }
    words_pack("caps", row->live->who.caps, out);
    words_pack("commands", buf_span(&row->live->commands), out);
    pack_kv_some(out, "pathEnv", row->live->who.path_env);
    if (row->live->who.has_permissions && row->live->who.permissions.len) {
        pack_kv_raw(out, "permissions", row->live->who.permissions);
    }
}

static void times_pack(const struct row *row, struct pack *out)
{
    int64_t seen_ms = value_i64(value_get(row->seen, "lastSeenAtMs"), 0);
    struct span reason = map_text(row->seen, "lastSeenReason");
    int64_t approved_ms = value_i64(value_get(row->paired, "approvedAtMs"), 0);

    if (row->live) {
        pack_kv_i64(out, "connectedAtMs", row->live->who.connected_ms);
    }
    if (row->live && row->live->who.connected_ms >= seen_ms) {
        seen_ms = row->live->who.connected_ms;
        reason = SPAN_LIT("connect");
    }
    if (seen_ms) {
        pack_kv_i64(out, "lastSeenAtMs", seen_ms);
        pack_kv_some(out, "lastSeenReason", reason);
    }
    approved_ms = approved_ms ? approved_ms : value_i64(value_get(row->seen, "approvedAtMs"), 0);
    if (approved_ms) {
        pack_kv_i64(out, "approvedAtMs", approved_ms);
    }
}

static void row_pack(const struct row *row, struct pack *out)
{
    who_pack(row, out);
    powers_pack(row, out);
    times_pack(row, out);
    pack_kv_bool(out, "paired", row->paired.len || value_get(row->seen, "deviceId").len);
    pack_kv_bool(out, "connected", row->live != NULL);
}

/* --- all of them --------------------------------------------------------------------------------- */

static int row_compare(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    struct span left_name = first_of(name_of(left), left->id, left->id);
    struct span right_name = first_of(name_of(right), right->id, right->id);
    size_t len = left_name.len < right_name.len ? left_name.len : right_name.len;
    int order;

    if ((left->live != NULL) != (right->live != NULL)) {
        return left->live ? -1 : 1;
    }
    order = strncasecmp(left_name.ptr, right_name.ptr, len);
    order = order ? order : (left_name.len > right_name.len) - (left_name.len < right_name.len);
    return order ? order : span_compare(&left->id, &right->id);
}

static size_t ids_gather(const struct node *self, struct row *rows)
{
    size_t n = 0;

    for (const struct session *at = self->sessions; at; at = at->next) {
        if (session_of_node(self, at->who.node_id) == at) { /* the newest of that node */
            rows[n++] = row_of(self, at->who.node_id);
        }
    }
    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_PAIRED); at; at = at->next) {
        if (!session_of_node(self, span_from(at->id))) {
            rows[n++] = row_of(self, span_from(at->id));
        }
    }
    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_SEEN); at; at = at->next) {
        if (!session_of_node(self, span_from(at->id)) && !shelf_find(self->shelf, KIND_PAIRED, span_from(at->id))) {
            rows[n++] = row_of(self, span_from(at->id));
        }
    }
    return n;
}

int on_node_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    CLEANUP(mem_free) struct row *rows = malloc(ROWS_MAX * sizeof(*rows));
    size_t n;

    (void)msg;
    if (!rows) {
        return FAULT(-ENOMEM);
    }
    n = ids_gather(self, rows);
    qsort(rows, n, sizeof(*rows), row_compare);
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_i64(&self->pack, "ts", clock_wall_ms());
    pack_key(&self->pack, "nodes");
    pack_array_begin(&self->pack);
    for (size_t i = 0; i < n; i++) {
        pack_map_begin(&self->pack);
        row_pack(&rows[i], &self->pack);
        pack_map_end(&self->pack);
    }
    pack_array_end(&self->pack);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

int on_node_describe(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_describe *in = msg;
    struct row row = row_of(self, in->node_id);

    if (!is_known(&row)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "unknown nodeId");
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_i64(&self->pack, "ts", clock_wall_ms());
    row_pack(&row, &self->pack);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}
