/*
 * pending: what is left for a node that is not there, or whose app is not on the screen.
 *
 * Work (status, location) is what operators enqueue; a node sees it with every drain until
 * it acknowledges it or it expires. Actions are commands that failed because an iOS app
 * was in the background; the app pulls them when it is back and acknowledges them.
 */
#include <stdlib.h>

#include "actors/node/node_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define DRAIN_DEFAULT 4U
#define WORK_LASTS_MS 86400000 /* also when nobody said when it expires */
#define ACTION_TTL_MS 600000
#define ACTIONS_PER_NODE 64U

static bool is_of(const struct shelf_item *item, struct span node_id)
{
    return span_is_text(node_id, item->owner);
}

/* --- revisions ----------------------------------------------------------------------------------- */

static int64_t revision_of(const struct node *self, struct span node_id)
{
    const struct shelf_item *item = shelf_find(self->shelf, KIND_REVISION, node_id);

    return item ? item->at_ms : 0;
}

static int revision_step(struct node *self, struct span node_id)
{
    return shelf_put(self->shelf, KIND_REVISION, node_id, node_id, revision_of(self, node_id) + 1, SPAN_LIT("\xc0"));
}

/* --- work ------------------------------------------------------------------------------------------ */

static bool is_expired(const struct shelf_item *work, int64_t now_ms)
{
    return value_i64(value_get(work->body, "expiresAtMs"), work->at_ms + WORK_LASTS_MS) <= now_ms;
}

static int work_prune(struct node *self, struct span node_id)
{
    int64_t now_ms = clock_wall_ms();
    const struct shelf_item *next;
    bool is_changed = false;
    int r = 0;

    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_WORK); !r && at; at = next) {
        next = at->next;
        if (is_of(at, node_id) && is_expired(at, now_ms)) {
            r = shelf_drop(self->shelf, KIND_WORK, span_from(at->id));
            is_changed = true;
        }
    }
    return r || !is_changed ? r : revision_step(self, node_id);
}

static const struct shelf_item *work_of_type(const struct node *self, struct span node_id, struct span type)
{
    const struct shelf_item *at = shelf_first(self->shelf, KIND_WORK);

    while (at && !(is_of(at, node_id) && span_is(map_text(at->body, "type"), type))) {
        at = at->next;
    }
    return at;
}

static void work_pack(const struct msg_node_pending_enqueue *in, const char *id, int64_t now_ms, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "id", id);
    pack_kv_str(out, "type", in->type);
    pack_kv_str(out, "priority", in->has_priority ? in->priority : SPAN_LIT("normal"));
    pack_kv_i64(out, "createdAtMs", now_ms);
    pack_key(out, "expiresAtMs");
    if (in->has_expires_in_ms) {
        pack_i64(out, now_ms + (int64_t)in->expires_in_ms);
    } else {
        pack_nil(out);
    }
    pack_map_end(out);
}

static int work_add(struct node *self, const struct msg_node_pending_enqueue *in)
{
    int64_t now_ms = clock_wall_ms();
    char id[IDS_UUID_MAX];
    int r;

    ids_uuid(id);
    pack_reset(&self->scratch);
    work_pack(in, id, now_ms, &self->scratch);
    r = pack_error(&self->scratch);
    r = r ? r : shelf_put(self->shelf, KIND_WORK, span_from(id), in->node_id, now_ms, pack_span(&self->scratch));
    return r ? r : revision_step(self, in->node_id);
}

/* No push service can wake a node yet, so wakeTriggered is never true. */
int on_node_pending_enqueue(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pending_enqueue *in = msg;
    int r = work_prune(self, in->node_id);
    const struct shelf_item *work;

    if (!r && !work_of_type(self, in->node_id, in->type)) {
        r = work_add(self, in);
    }
    r = shelf_failure(r);
    if (r) {
        return r;
    }
    work = work_of_type(self, in->node_id, in->type);
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_str(&self->pack, "nodeId", in->node_id);
    pack_kv_i64(&self->pack, "revision", revision_of(self, in->node_id));
    pack_kv_raw(&self->pack, "queued", work->body);
    pack_kv_bool(&self->pack, "wakeTriggered", false);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

static bool is_high(const struct shelf_item *item)
{
    return span_is(map_text(item->body, "priority"), SPAN_LIT("high"));
}

/* Appends those of one priority, oldest first, up to `most` in all; `n` counts what is
 * there, packed or not. */
static void work_rows(struct node *self, struct span node_id, bool wants_high, size_t most, size_t *n)
{
    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_WORK); at; at = at->next) {
        if (is_of(at, node_id) && is_high(at) == wants_high && (*n)++ < most) {
            pack_raw(&self->pack, at->body);
        }
    }
}

static void baseline_pack(struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "id", "baseline-status");
    pack_kv_text(out, "type", "status.request");
    pack_kv_text(out, "priority", "default");
    pack_kv_i64(out, "createdAtMs", clock_wall_ms());
    pack_key(out, "expiresAtMs");
    pack_nil(out);
    pack_map_end(out);
}

/* A node that comes to look is asked for its status, whether somebody wanted it or not. */
int on_node_pending_drain(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pending_drain *in = msg;
    struct span node_id = caller_node_id(&in->client);
    size_t most = in->has_max_items ? (size_t)in->max_items : DRAIN_DEFAULT;
    size_t n = 0;
    int r = shelf_failure(work_prune(self, node_id));

    if (r) {
        return r;
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_str(&self->pack, "nodeId", node_id);
    pack_kv_i64(&self->pack, "revision", revision_of(self, node_id));
    pack_key(&self->pack, "items");
    pack_array_begin(&self->pack);
    work_rows(self, node_id, true, most, &n);
    work_rows(self, node_id, false, most, &n);
    if (!work_of_type(self, node_id, SPAN_LIT("status.request")) && n++ < most) {
        baseline_pack(&self->pack);
    }
    pack_array_end(&self->pack);
    pack_kv_bool(&self->pack, "hasMore", n > most);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- actions ----------------------------------------------------------------------------------------- */

/* Drops the old ones and, beyond `most`, the oldest; then those that the session may not run. */
static int actions_prune(struct node *self, struct span node_id, size_t most, const struct session *session)
{
    int64_t oldest_ms = clock_wall_ms() - ACTION_TTL_MS;
    const struct shelf_item *next;
    size_t n = 0;
    int r = 0;

    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_ACTION); at; at = at->next) {
        n += is_of(at, node_id);
    }
    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_ACTION); !r && at; at = next) {
        next = at->next;
        if (is_of(at, node_id) &&
            (at->at_ms < oldest_ms || n > most ||
             (session && !policy_list_has(buf_span(&session->commands), map_text(at->body, "command"))))) {
            r = shelf_drop(self->shelf, KIND_ACTION, span_from(at->id));
            n--;
        }
    }
    return r;
}

static const struct shelf_item *action_with_key(const struct node *self, struct span node_id, struct span key)
{
    const struct shelf_item *at = shelf_first(self->shelf, KIND_ACTION);

    while (at && !(is_of(at, node_id) && span_is(map_text(at->body, "idempotencyKey"), key))) {
        at = at->next;
    }
    return at;
}

static void action_pack(struct span command, struct span params_json, struct span key, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_str(out, "command", command);
    pack_kv_some(out, "paramsJSON", params_json);
    pack_kv_str(out, "idempotencyKey", key);
    pack_map_end(out);
}

int pending_action_add(struct node *self, struct span node_id, struct span command, struct span params_json,
                       struct span key, char ret_id[IDS_UUID_MAX])
{
    int r = actions_prune(self, node_id, ACTIONS_PER_NODE - 1, NULL);
    const struct shelf_item *same = action_with_key(self, node_id, key);

    if (r) {
        return shelf_failure(r);
    }
    if (same) {
        memcpy(ret_id, same->id, IDS_UUID_MAX);
        return 0;
    }
    ids_uuid(ret_id);
    pack_reset(&self->scratch);
    action_pack(command, params_json, key, &self->scratch);
    r = pack_error(&self->scratch);
    return shelf_failure(r ? r
                           : shelf_put(self->shelf, KIND_ACTION, span_from(ret_id), node_id, clock_wall_ms(),
                                       pack_span(&self->scratch)));
}

static void action_row(const struct shelf_item *item, struct pack *out)
{
    struct span params = map_text(item->body, "paramsJSON");

    pack_map_begin(out);
    pack_kv_text(out, "id", item->id);
    pack_kv_str(out, "command", map_text(item->body, "command"));
    pack_key(out, "paramsJSON");
    if (params.len) {
        pack_str(out, params);
    } else {
        pack_nil(out);
    }
    pack_kv_i64(out, "enqueuedAtMs", item->at_ms);
    pack_map_end(out);
}

int on_node_pending_pull(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pending_pull *in = msg;
    struct span node_id = caller_node_id(&in->client);
    const struct session *session = session_of_conn(self, in->client.conn_id);
    int r;

    if (!session) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the node's connection is not known yet; try again");
    }
    r = shelf_failure(actions_prune(self, node_id, ACTIONS_PER_NODE, session));
    if (r) {
        return r;
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_str(&self->pack, "nodeId", node_id);
    pack_key(&self->pack, "actions");
    pack_array_begin(&self->pack);
    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_ACTION); at; at = at->next) {
        if (is_of(at, node_id)) {
            action_row(at, &self->pack);
        }
    }
    pack_array_end(&self->pack);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- acknowledging --------------------------------------------------------------------------------------- */

/* A node can only take what was left for itself. */
static int ack_one(struct node *self, struct span node_id, struct span id, bool *is_work)
{
    const struct shelf_item *action = shelf_find(self->shelf, KIND_ACTION, id);
    const struct shelf_item *work = shelf_find(self->shelf, KIND_WORK, id);

    if (action && is_of(action, node_id)) {
        return shelf_drop(self->shelf, KIND_ACTION, id);
    }
    if (work && is_of(work, node_id)) {
        *is_work = true;
        return shelf_drop(self->shelf, KIND_WORK, id);
    }
    return 0;
}

int on_node_pending_ack(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pending_ack *in = msg;
    struct span node_id = caller_node_id(&in->client);
    struct value_iter iter = value_iter(in->ids);
    struct span key;
    struct span item;
    bool is_work = false;
    size_t left_n = 0;
    int r = actions_prune(self, node_id, ACTIONS_PER_NODE, NULL);

    while (!r && value_next(&iter, &key, &item)) {
        r = ack_one(self, node_id, value_str(item, (struct span){ 0 }), &is_work);
    }
    r = r || !is_work ? r : revision_step(self, node_id);
    if (r) {
        return shelf_failure(r);
    }
    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_ACTION); at; at = at->next) {
        left_n += is_of(at, node_id);
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_str(&self->pack, "nodeId", node_id);
    pack_kv_raw(&self->pack, "ackedIds", in->ids);
    pack_kv_u64(&self->pack, "remainingCount", left_n);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

/* A disk that fails here leaves what expires by itself. */
void pending_forget(struct node *self, struct span node_id)
{
    static const unsigned kinds[] = { KIND_ACTION, KIND_WORK };
    const struct shelf_item *next;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (const struct shelf_item *at = shelf_first(self->shelf, kinds[i]); at; at = next) {
            next = at->next;
            if (is_of(at, node_id)) {
                (void)shelf_drop(self->shelf, kinds[i], span_from(at->id));
            }
        }
    }
}
