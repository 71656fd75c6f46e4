#include <stdio.h>
#include <strings.h>

#include "actors/approval/approval_state.h"
#include "bus/base/clock.h"
#include "bus/value.h"

struct record record_read(const struct shelf_item *item)
{
    struct span body = item->body;

    return (struct record){
        .item = item,
        .request = value_get(body, "request"),
        .created_ms = value_i64(value_get(body, "createdAtMs"), 0),
        .expires_ms = value_i64(value_get(body, "expiresAtMs"), 0),
        .decision = map_text(body, "decision"),
        .is_resolved = value_get(body, "resolvedAtMs").len > 0,
        .is_used = value_bool(value_get(body, "isUsed"), false),
    };
}

static bool begins_with(const char *id, struct span prefix)
{
    return strlen(id) >= prefix.len && strncasecmp(id, prefix.ptr, prefix.len) == 0;
}

int record_find(struct approval *self, unsigned kind, struct span id, bool is_resolved, struct record *ret_record)
{
    const struct shelf_item *exact = shelf_find(self->shelf, kind, id);
    unsigned found = 0;

    if (exact) {
        *ret_record = record_read(exact);
        return ret_record->is_resolved == is_resolved ? RECORD_FOUND : RECORD_NONE;
    }
    for (const struct shelf_item *at = shelf_first(self->shelf, kind); id.len && at; at = at->next) {
        struct record record = record_read(at);

        if (record.is_resolved == is_resolved && begins_with(at->id, id)) {
            *ret_record = record;
            found++;
        }
    }
    return found == 1 ? RECORD_FOUND : found ? RECORD_AMBIGUOUS : RECORD_NONE;
}

/* --- changing ---------------------------------------------------------------------------------- */

int record_add(struct approval *self, const struct asked *asked)
{
    const struct type_client *client = asked->client;
    int64_t now_ms = clock_wall_ms();
    uint64_t timeout_ms = asked->timeout_ms;
    struct pack *out = &self->record;
    int r;

    timeout_ms = timeout_ms < APPROVAL_TIMEOUT_MAX_MS ? timeout_ms : APPROVAL_TIMEOUT_MAX_MS;
    pack_reset(out);
    pack_map_begin(out);
    pack_kv_raw(out, "request", asked->request);
    pack_kv_i64(out, "createdAtMs", now_ms);
    pack_kv_i64(out, "expiresAtMs", now_ms + (int64_t)timeout_ms);
    pack_kv_str(out, "connId", client->conn_id);
    if (client->has_device_id && client->device_id.len) {
        pack_kv_str(out, "deviceId", client->device_id);
    }
    pack_kv_str(out, "asker", client->principal);
    if (client->has_display_name && client->display_name.len) {
        pack_kv_str(out, "askerName", client->display_name);
    }
    if (asked->operation.len) {
        pack_kv_str(out, "operation", asked->operation);
    }
    pack_map_end(out);
    r = pack_error(out);
    r = r ? r
          : shelf_failure(shelf_put(self->shelf, asked->kind, asked->id, (struct span){ 0 }, now_ms, pack_span(out)));
    return r ? r : records_review(self);
}

static void copy_open(struct span body, struct pack *out)
{
    struct value_iter iter = value_iter(body);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&iter, &key, &item)) {
        pack_key_span(out, key);
        pack_raw(out, item);
    }
}

static int record_replace(struct approval *self, unsigned kind, const struct shelf_item *item)
{
    char id[ID_MAX];
    int r = pack_error(&self->record);

    (void)snprintf(id, sizeof(id), "%s", item->id); /* ids are shorter */
    return r ? r
             : shelf_put(self->shelf, kind, span_from(id), (struct span){ 0 }, item->at_ms, pack_span(&self->record));
}

/* {kind, id?} as newer clients know it: a device, or a program without one; nobody is the system. */
static void resolver_pack(const struct type_client *client, struct pack *out)
{
    bool is_device = client && client->has_device_id && client->device_id.len;

    pack_key(out, "resolver");
    pack_map_begin(out);
    pack_kv_text(out, "kind", is_device ? "device" : client ? "runtime" : "system");
    if (client && (is_device || client->client_id.len)) {
        pack_kv_str(out, "id", is_device ? client->device_id : client->client_id);
    }
    pack_map_end(out);
}

int record_close(struct approval *self, unsigned kind, struct span id, const struct closing *closing)
{
    const struct shelf_item *item = shelf_find(self->shelf, kind, id);

    if (!item) {
        return FAIL_INTERNAL; /* the caller has just found it */
    }
    pack_reset(&self->record);
    copy_open(item->body, &self->record);
    pack_kv_i64(&self->record, "resolvedAtMs", clock_wall_ms());
    if (closing->decision.len) {
        pack_kv_str(&self->record, "decision", closing->decision);
    }
    pack_kv_or_nil(&self->record, "resolvedBy", closing->by);
    resolver_pack(closing->client, &self->record);
    pack_map_end(&self->record);
    return shelf_failure(record_replace(self, kind, item));
}

int record_tell(struct approval *self, unsigned kind, struct span id)
{
    const struct shelf_item *item = shelf_find(self->shelf, kind, id);
    struct record record;

    if (!item) {
        return 0;
    }
    record = record_read(item);
    return waiters_answer(self, kind, &record);
}

int record_use(struct approval *self, const struct shelf_item *item)
{
    pack_reset(&self->record);
    copy_open(item->body, &self->record);
    pack_kv_bool(&self->record, "isUsed", true);
    pack_map_end(&self->record);
    return shelf_failure(record_replace(self, KIND_EXEC, item));
}

/* --- time ------------------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer)
{
    struct approval *self = timer->data;
    int r = records_review(self);

    if (r) {
        (void)actor_fault(self->actor, r);
    }
}

/* When something has to be done about it. */
static int64_t due_of(const struct record *record)
{
    int64_t resolved_ms = value_i64(value_get(record->item->body, "resolvedAtMs"), 0);

    return record->is_resolved ? resolved_ms + APPROVAL_GRACE_MS : record->expires_ms;
}

static int kind_review(struct approval *self, unsigned kind, int64_t now_ms, int64_t *next_ms)
{
    const struct shelf_item *next;
    int r = 0;

    for (const struct shelf_item *at = shelf_first(self->shelf, kind); r >= 0 && at; at = next) {
        struct record record = record_read(at);
        char id[ID_MAX];

        next = at->next;
        if (due_of(&record) > now_ms) {
            *next_ms = due_of(&record) < *next_ms ? due_of(&record) : *next_ms;
            continue;
        }
        (void)snprintf(id, sizeof(id), "%s", at->id); /* ids are shorter */
        r = record.is_resolved ? past_keep(self, kind, &record)
                               : record_close(self, kind, span_from(id), &(struct closing){ .client = NULL });
        r = r || !record.is_resolved ? r : shelf_drop(self->shelf, kind, span_from(id));
        r = r || record.is_resolved ? r : record_tell(self, kind, span_from(id));
        *next_ms = now_ms + APPROVAL_GRACE_MS < *next_ms ? now_ms + APPROVAL_GRACE_MS : *next_ms;
    }
    return r < 0 ? r : 0; /* a disk that fails is tried again */
}

int records_review(struct approval *self)
{
    int64_t now_ms = clock_wall_ms();
    int64_t next_ms = INT64_MAX;
    int r = kind_review(self, KIND_EXEC, now_ms, &next_ms);

    r = r ? r : kind_review(self, KIND_PLUGIN, now_ms, &next_ms);
    if (r) {
        return r;
    }
    if (next_ms == INT64_MAX) {
        return uv_timer_stop(&self->timer);
    }
    return uv_timer_start(&self->timer, on_timer, next_ms > now_ms ? (uint64_t)(next_ms - now_ms) : 1, 0);
}

void record_pack(const struct record *record, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "id", record->item->id);
    pack_kv_raw(out, "request", record->request);
    pack_kv_i64(out, "createdAtMs", record->created_ms);
    pack_kv_i64(out, "expiresAtMs", record->expires_ms);
    pack_map_end(out);
}
