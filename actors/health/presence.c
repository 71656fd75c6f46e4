/*
 * presence: see presence.h.
 */
#include "actors/health/presence.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define NOTE_TEXT_MAX 1024U

/* --- entries --------------------------------------------------------------------------- */

static void entry_unlink(struct presence *self, struct presence_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &self->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &self->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void entry_link_newest(struct presence *self, struct presence_entry *entry)
{
    entry->older = self->newest;
    *(self->newest ? &self->newest->newer : &self->oldest) = entry;
    self->newest = entry;
}

static void entry_destroy(struct presence *self, struct presence_entry *entry)
{
    entry_unlink(self, entry);
    table_remove(&self->entries, &entry->node);
    free(entry->packed);
    free(entry);
}

/* Room for the living: the longest gone go first. Most calls have nothing to do. */
static void entries_trim(struct presence *self, int64_t now_ms)
{
    struct presence_entry *entry = self->oldest;

    if (!self->gone_n || (self->entries.nodes_n <= PRESENCE_LISTED_MAX && now_ms <= self->trim_at)) {
        return;
    }
    self->trim_at = INT64_MAX;
    while (entry) {
        struct presence_entry *newer = entry->newer;

        if (!entry->live_n && (self->entries.nodes_n > PRESENCE_LISTED_MAX || now_ms - entry->ts > PRESENCE_LEFT_MS)) {
            self->gone_n--;
            entry_destroy(self, entry);
        } else if (!entry->live_n && entry->ts + PRESENCE_LEFT_MS < self->trim_at) {
            self->trim_at = entry->ts + PRESENCE_LEFT_MS;
        }
        entry = newer;
    }
}

static int entry_keep(struct presence_entry *entry, const struct pack *pack)
{
    struct span bytes = pack_span(pack);
    char *copy = pack_error(pack) ? NULL : malloc(bytes.len);

    if (!copy) {
        return FAULT(-ENOMEM);
    }
    memcpy(copy, bytes.ptr, bytes.len);
    free(entry->packed);
    entry->packed = copy;
    entry->packed_len = bytes.len;
    return 0;
}

static void text_pack(struct pack *out, const char *key, struct span text)
{
    if (text.len) {
        pack_kv_str(out, key, text);
    }
}

static bool list_has(struct span list, struct span text)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is(value_str(item, (struct span){ 0 }), text)) {
            return true;
        }
    }
    return false;
}

/* The strings of `added` that `before` does not hold; how many the list has then. */
static size_t strings_add(struct pack *out, size_t count, struct span before, struct span added)
{
    struct value_iter it = value_iter(added);
    struct span name;
    struct span item;

    while (count < PRESENCE_WORDS_MAX && value_next(&it, &name, &item)) {
        struct span word = value_str(item, (struct span){ 0 });

        if (word.len && word.len <= PRESENCE_WORD_MAX && !list_has(before, word)) {
            pack_str(out, word);
            count++;
        }
    }
    return count;
}

/* The strings of both lists, each once: a device may hold connections of two roles. What a
 * client makes up to fill the list is left out. */
static void union_pack(struct pack *out, const char *key, struct span before, struct span added)
{
    size_t count;

    pack_key(out, key);
    pack_array_begin(out);
    count = strings_add(out, 0, (struct span){ 0 }, before);
    (void)strings_add(out, count, before, added);
    pack_array_end(out);
}

static struct span name_of(const struct presence_who *who)
{
    return who->display_name.len ? who->display_name : who->client_id;
}

static void sentence_pack(struct pack *out, const struct presence_who *who)
{
    char text[512];
    struct span name = name_of(who);
    int len = snprintf(text, sizeof(text), "Node: %.*s \xc2\xb7 mode %.*s", (int)(name.len > 300 ? 300 : name.len),
                       name.ptr, SPAN_FMT(who->mode));

    pack_kv_str(out, "text", (struct span){ text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1 });
}

/* A list of one string, packed into `buf`. */
static struct span single(struct pack *buf, struct span text)
{
    pack_reset(buf);
    pack_array_begin(buf);
    if (text.len) {
        pack_str(buf, text);
    }
    pack_array_end(buf);
    return pack_span(buf);
}

static int entry_describe(struct presence_entry *entry, const struct presence_who *who)
{
    struct span before = { entry->live_n ? entry->packed : NULL, entry->live_n ? entry->packed_len : 0 };
    struct span instance = who->device_id.len ? who->device_id : who->instance_id;
    CLEANUP(pack_deinit) struct pack out;
    CLEANUP(pack_deinit) struct pack role;

    pack_init(&out, 65536);
    pack_init(&role, 1024);
    pack_map_begin(&out);
    pack_kv_str(&out, "host", name_of(who));
    if (!who->is_local) {
        text_pack(&out, "ip", who->ip);
    }
    text_pack(&out, "version", who->version);
    text_pack(&out, "platform", who->platform);
    text_pack(&out, "deviceFamily", who->device_family);
    text_pack(&out, "modelIdentifier", who->model_identifier);
    text_pack(&out, "mode", who->mode);
    text_pack(&out, "deviceId", who->device_id);
    union_pack(&out, "roles", value_get(before, "roles"), single(&role, who->role));
    union_pack(&out, "scopes", value_get(before, "scopes"), who->scopes);
    text_pack(&out, "instanceId", instance);
    pack_kv_text(&out, "reason", "connect");
    pack_kv_i64(&out, "ts", entry->ts);
    sentence_pack(&out, who);
    pack_map_end(&out);
    return entry_keep(entry, &out);
}

/* The same map with another reason and time. */
static int entry_restate(struct presence_entry *entry, const char *reason)
{
    struct value_iter it = value_iter((struct span){ entry->packed, entry->packed_len });
    struct span key;
    struct span item;
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 65536);
    pack_map_begin(&out);
    while (value_next(&it, &key, &item)) {
        pack_key_span(&out, key);
        if (span_is_text(key, "reason")) {
            pack_text(&out, reason);
        } else if (span_is_text(key, "ts")) {
            pack_i64(&out, entry->ts);
        } else {
            pack_raw(&out, item);
        }
    }
    pack_map_end(&out);
    return entry_keep(entry, &out);
}

static void touch(struct presence *self, struct presence_entry *entry, int64_t now_ms)
{
    entry->ts = now_ms;
    entry_unlink(self, entry);
    entry_link_newest(self, entry);
}

/* By device, else instance, else the connection itself. */
static void key_of(const struct presence_who *who, char ret_key[160])
{
    struct span id = who->device_id.len ? who->device_id : who->instance_id.len ? who->instance_id : who->conn_id;
    size_t len = id.len < 159 ? id.len : 159;

    for (size_t i = 0; i < len; i++) {
        ret_key[i] = id.ptr[i] >= 'A' && id.ptr[i] <= 'Z' ? (char)(id.ptr[i] + 32) : id.ptr[i];
    }
    ret_key[len] = '\0';
}

/* Finds the entry, or makes one that nobody lives in yet; NULL when memory is out. */
static struct presence_entry *entry_find(struct presence *self, const char *key)
{
    struct table_node *node = table_find(&self->entries, span_from(key));
    struct presence_entry *entry;

    if (node) {
        return CONTAINER_OF(node, struct presence_entry, node);
    }
    entry = calloc(1, sizeof(*entry));
    if (!entry) {
        return NULL;
    }
    snprintf(entry->key, sizeof(entry->key), "%s", key);
    entry->node.key = entry->key;
    if (table_add(&self->entries, &entry->node)) {
        free(entry);
        return NULL;
    }
    entry_link_newest(self, entry);
    self->gone_n++; /* until the connection is counted */
    return entry;
}

/* --- what programs report -------------------------------------------------------------------- */

static void note_text(struct pack *out, const char *key, struct span said, struct span before, bool *is_changed)
{
    struct span was = value_str(value_get(before, key), (struct span){ 0 });

    if (said.len && !span_is(said, was)) {
        *is_changed = true;
    }
    text_pack(out, key, said.len ? said : was);
}

static void note_list(struct pack *out, const char *key, struct span said, struct span before)
{
    struct span list = said.len ? said : value_get(before, key);

    if (list.len) {
        union_pack(out, key, (struct span){ 0 }, list);
    }
}

static int note_describe(struct presence_entry *entry, const struct presence_note *note, bool *is_changed)
{
    struct span before = { entry->packed, entry->packed_len };
    CLEANUP(pack_deinit) struct pack out;
    bool is_reason_changed = false; /* why it says so is no news by itself */

    pack_init(&out, 65536);
    pack_map_begin(&out);
    note_text(&out, "host", note->host, before, is_changed);
    note_text(&out, "ip", note->ip, before, is_changed);
    note_text(&out, "version", note->version, before, is_changed);
    note_text(&out, "platform", note->platform, before, is_changed);
    note_text(&out, "deviceFamily", note->device_family, before, is_changed);
    note_text(&out, "modelIdentifier", note->model_identifier, before, is_changed);
    if (note->has_last_input) {
        pack_kv_f64(&out, "lastInputSeconds", note->last_input_s);
    }
    note_text(&out, "mode", note->mode, before, is_changed);
    note_text(&out, "deviceId", note->device_id, before, is_changed);
    note_list(&out, "roles", note->roles, before);
    note_list(&out, "scopes", note->scopes, before);
    note_list(&out, "tags", note->tags, before);
    note_text(&out, "instanceId", note->instance_id, before, is_changed);
    note_text(&out, "reason", note->reason, before, &is_reason_changed);
    pack_kv_i64(&out, "ts", entry->ts);
    pack_kv_str(&out, "text", utf8_cut(note->text, NOTE_TEXT_MAX));
    pack_map_end(&out);
    return entry_keep(entry, &out);
}

int presence_note(struct presence *self, const struct presence_note *note, int64_t now_ms, bool *ret_is_changed)
{
    struct presence_who who = { .device_id = note->device_id,
                                .instance_id = note->instance_id,
                                .conn_id = note->host.len ? note->host
                                           : note->ip.len ? note->ip
                                                          : note->text };
    struct presence_entry *entry;
    char key[160];
    int r;

    *ret_is_changed = false;
    key_of(&who, key);
    entry = entry_find(self, key);
    if (!entry) {
        return FAULT(-ENOMEM);
    }
    touch(self, entry, now_ms);
    r = note_describe(entry, note, ret_is_changed);
    self->version++;
    self->is_listed = false;
    entries_trim(self, now_ms);
    return r;
}

/* --- connections -------------------------------------------------------------------------- */

static int edge_find(struct presence *self, struct span edge, uint16_t *ret_at)
{
    size_t at = 0;

    while (at < self->edges_n && !span_is_text(edge, self->edges[at])) {
        at++;
    }
    if (at == PRESENCE_EDGES_MAX || edge.len >= sizeof(self->edges[0])) {
        return PRESENCE_E_FULL;
    }
    if (at == self->edges_n) {
        memcpy(self->edges[at], edge.ptr, edge.len);
        self->edges[at][edge.len] = '\0';
        self->edges_n++;
    }
    *ret_at = (uint16_t)at;
    return 0;
}

static bool may_read(const struct presence_who *who)
{
    return span_is_text(who->role, "operator") &&
           (list_has(who->scopes, SPAN_LIT("operator.read")) || list_has(who->scopes, SPAN_LIT("operator.write")) ||
            list_has(who->scopes, SPAN_LIT("operator.admin")));
}

static bool may_approve(const struct presence_who *who)
{
    return span_is_text(who->role, "operator") &&
           (list_has(who->scopes, SPAN_LIT("operator.approvals")) || list_has(who->scopes, SPAN_LIT("operator.admin")));
}

uint32_t presence_approvers(const struct presence *self, struct span except_conn_id)
{
    struct table_node *node = table_find(&self->conns, except_conn_id);

    return self->approvers_n - (node && CONTAINER_OF(node, struct presence_conn, node)->is_approver ? 1U : 0U);
}

/* Makes or refreshes the entry that `conn` belongs to. */
static int conn_enter(struct presence *self, struct presence_conn *conn, const struct presence_who *who, int64_t now_ms)
{
    char key[160];
    struct presence_entry *entry;
    int r;

    key_of(who, key);
    entry = entry_find(self, key);
    if (!entry) {
        return FAULT(-ENOMEM);
    }
    entry->is_nameless = !who->device_id.len && !who->instance_id.len;
    touch(self, entry, now_ms);
    r = entry_describe(entry, who);
    if (r) {
        return r;
    }
    self->gone_n -= entry->live_n == 0;
    entry->live_n++;
    conn->entry = entry;
    self->version++;
    self->is_listed = false;
    entries_trim(self, now_ms);
    return 0;
}

/* Programs of the control plane that come and go; people and nodes are who is here. */
static bool is_ephemeral(const struct presence_who *who)
{
    return span_is_text(who->mode, "cli") || span_is_text(who->mode, "backend") || span_is_text(who->mode, "probe");
}

int presence_join(struct presence *self, struct span edge, const struct presence_who *who, int64_t now_ms)
{
    struct presence_conn *conn;
    int r;

    if (!who->conn_id.len || who->conn_id.len >= sizeof(conn->id) || memchr(who->conn_id.ptr, 0, who->conn_id.len)) {
        return PRESENCE_E_BAD;
    }
    if (table_find(&self->conns, who->conn_id)) {
        return 0;
    }
    if (self->connections_n >= PRESENCE_CONNECTIONS_MAX) {
        return PRESENCE_E_FULL;
    }
    conn = calloc(1, sizeof(*conn));
    if (!conn) {
        return FAULT(-ENOMEM);
    }
    memcpy(conn->id, who->conn_id.ptr, who->conn_id.len);
    conn->node.key = conn->id;
    conn->is_reader = may_read(who);
    conn->is_approver = may_approve(who);
    r = edge_find(self, edge, &conn->edge);
    r = r ? r : table_add(&self->conns, &conn->node);
    if (r) {
        free(conn);
        return r;
    }
    self->connections_n++;
    self->readers_n += conn->is_reader;
    self->approvers_n += conn->is_approver;
    return is_ephemeral(who) ? 0 : conn_enter(self, conn, who, now_ms);
}

/*
 * A nameless one that left cannot be recognised when it comes back: one entry stands for
 * all of its name, or short connections would fill the list.
 */
static int entry_fold(struct presence *self, struct presence_entry *entry)
{
    struct span map = { entry->packed, entry->packed_len };
    struct span host = value_str(value_get(map, "host"), (struct span){ 0 });
    struct span mode = value_str(value_get(map, "mode"), (struct span){ 0 });
    char key[sizeof(entry->key)];
    struct table_node *node;

    snprintf(key, sizeof(key), "gone %.*s %.*s", (int)(mode.len > 30 ? 30 : mode.len), mode.ptr,
             (int)(host.len > 100 ? 100 : host.len), host.ptr);
    node = table_find(&self->entries, span_from(key));
    if (node && CONTAINER_OF(node, struct presence_entry, node)->live_n) {
        return 0; /* somebody chose this as the name of his instance */
    }
    if (node) {
        self->gone_n--;
        entry_destroy(self, CONTAINER_OF(node, struct presence_entry, node));
    }
    table_remove(&self->entries, &entry->node);
    memcpy(entry->key, key, sizeof(key));
    entry->is_nameless = false;
    return table_add(&self->entries, &entry->node);
}

static int conn_destroy(struct presence *self, struct presence_conn *conn, int64_t now_ms)
{
    struct presence_entry *entry = conn->entry;
    int r = 0;

    self->connections_n--;
    self->readers_n -= conn->is_reader;
    self->approvers_n -= conn->is_approver;
    table_remove(&self->conns, &conn->node);
    if (entry && --entry->live_n == 0) {
        touch(self, entry, now_ms);
        r = entry_restate(entry, "disconnect");
        r = r || !entry->is_nameless ? r : entry_fold(self, entry);
        self->gone_n++;
        if (now_ms + PRESENCE_LEFT_MS < self->trim_at) {
            self->trim_at = now_ms + PRESENCE_LEFT_MS;
        }
        self->version++;
        self->is_listed = false;
        entries_trim(self, now_ms);
    }
    free(conn);
    return r;
}

int presence_leave(struct presence *self, struct span conn_id, int64_t now_ms)
{
    struct table_node *node = table_find(&self->conns, conn_id);

    return node ? conn_destroy(self, CONTAINER_OF(node, struct presence_conn, node), now_ms) : PRESENCE_E_UNKNOWN;
}

size_t presence_leave_edge(struct presence *self, struct span edge, int64_t now_ms)
{
    size_t left_n = 0;

    for (size_t i = 0; i < self->conns.slots_n; i++) {
        struct table_node *node = self->conns.slots[i];

        while (node) {
            struct table_node *next = node->next;
            struct presence_conn *conn = CONTAINER_OF(node, struct presence_conn, node);

            if (span_is_text(edge, self->edges[conn->edge])) {
                (void)conn_destroy(self, conn, now_ms); /* out of memory: the entry keeps its old words */
                left_n++;
            }
            node = next;
        }
    }
    return left_n;
}

/* --- the list -------------------------------------------------------------------------------- */

static void self_pack(const struct presence *self, int64_t now_ms, struct pack *out)
{
    struct value_iter it = value_iter((struct span){ self->self_packed, self->self_len });
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        pack_key_span(out, key);
        pack_raw(out, item);
    }
    pack_kv_i64(out, "ts", now_ms);
    pack_map_end(out);
}

struct span presence_list(struct presence *self, int64_t now_ms)
{
    size_t listed_n = 1;

    if (self->is_listed && now_ms <= self->listed_until) {
        return pack_span(&self->list);
    }
    entries_trim(self, now_ms);
    self->listed_until = self->trim_at;
    pack_reset(&self->list);
    pack_array_begin(&self->list);
    self_pack(self, now_ms, &self->list);
    for (struct presence_entry *entry = self->newest; entry && listed_n < PRESENCE_LISTED_MAX; entry = entry->older) {
        pack_raw(&self->list, (struct span){ entry->packed, entry->packed_len });
        listed_n++;
    }
    pack_array_end(&self->list);
    self->is_listed = !pack_error(&self->list);
    return pack_span(&self->list);
}

int presence_init(struct presence *self, uint64_t seed, uint64_t first_version, struct span self_map)
{
    *self = (struct presence){ .version = first_version, .trim_at = INT64_MAX };
    table_init(&self->conns, seed);
    table_init(&self->entries, seed);
    pack_init(&self->list, 0);
    self->self_packed = malloc(self_map.len + 1);
    if (!self->self_packed) {
        return FAULT(-ENOMEM);
    }
    if (self_map.len) {
        memcpy(self->self_packed, self_map.ptr, self_map.len);
    }
    self->self_len = self_map.len;
    return 0;
}

void presence_deinit(struct presence *self)
{
    for (size_t i = 0; i < self->conns.slots_n; i++) {
        while (self->conns.slots[i]) {
            struct table_node *node = self->conns.slots[i];

            self->conns.slots[i] = node->next;
            free(CONTAINER_OF(node, struct presence_conn, node));
        }
    }
    while (self->newest) {
        entry_destroy(self, self->newest);
    }
    table_deinit(&self->conns);
    table_deinit(&self->entries);
    pack_deinit(&self->list);
    free(self->self_packed);
    self->self_packed = NULL;
}
