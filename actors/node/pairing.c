/*
 * pairing: which nodes an operator has approved, and with which commands.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/node/node_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"

/* What a request says of its node, from the method or from the handshake; texts may be empty. */
struct ask {
    struct span node_id;
    struct span display_name;
    struct span platform;
    struct span version;
    struct span core_version;
    struct span ui_version;
    struct span device_family;
    struct span model_identifier;
    struct span caps;     /* packed list, or empty for not said */
    struct span commands; /* the same */
    struct span remote_ip;
    bool is_silent;
};

/* The keys that a request hands on to the pairing that comes of it. */
static const char *const told_texts[] = { "displayName", "platform",     "version",         "coreVersion",
                                          "uiVersion",   "deviceFamily", "modelIdentifier", NULL };

/* --- requests ---------------------------------------------------------------------------------- */

/* Requests that nobody decided in time are gone. */
static int requests_prune(struct node *self, int64_t now_ms)
{
    const struct shelf_item *next;
    int r = 0;

    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_REQUEST); !r && at; at = next) {
        next = at->next;
        if (now_ms - at->at_ms > PAIRING_REQUEST_TTL_MS) {
            r = shelf_drop(self->shelf, KIND_REQUEST, span_from(at->id));
        }
    }
    return shelf_failure(r);
}

const struct shelf_item *pairing_request_of(struct node *self, struct span node_id)
{
    const struct shelf_item *at = shelf_first(self->shelf, KIND_REQUEST);

    while (at && !(span_is_text(node_id, at->owner) && clock_wall_ms() - at->at_ms <= PAIRING_REQUEST_TTL_MS)) {
        at = at->next;
    }
    return at;
}

static void text_keep(struct pack *out, const char *key, struct span now, struct span before)
{
    pack_kv_some(out, key, now.len ? now : map_text(before, key));
}

static void list_keep(struct pack *out, const char *key, struct span now, struct span before)
{
    struct span kept = now.len ? now : value_get(before, key);

    if (kept.len) {
        pack_kv_raw(out, key, kept);
    }
}

/* What is said anew counts, what is not said stays as it was. */
static void request_pack(const struct ask *ask, struct span before, const char *request_id, int64_t now_ms,
                         struct pack *out)
{
    bool was_silent = value_bool(value_get(before, "silent"), true);

    pack_map_begin(out);
    pack_kv_text(out, "requestId", request_id);
    pack_kv_str(out, "nodeId", ask->node_id);
    text_keep(out, "displayName", ask->display_name, before);
    text_keep(out, "platform", ask->platform, before);
    text_keep(out, "version", ask->version, before);
    text_keep(out, "coreVersion", ask->core_version, before);
    text_keep(out, "uiVersion", ask->ui_version, before);
    text_keep(out, "deviceFamily", ask->device_family, before);
    text_keep(out, "modelIdentifier", ask->model_identifier, before);
    list_keep(out, "caps", ask->caps, before);
    list_keep(out, "commands", ask->commands, before);
    text_keep(out, "remoteIp", ask->remote_ip, before);
    pack_kv_bool(out, "silent", ask->is_silent && was_silent);
    pack_kv_i64(out, "ts", now_ms);
    pack_map_end(out);
}

/* It says nothing that the request before it did not say. */
static bool is_repeat(struct node *self, const struct ask *ask, const struct shelf_item *before)
{
    pack_reset(&self->scratch);
    request_pack(ask, before->body, before->id, value_i64(value_get(before->body, "ts"), 0), &self->scratch);
    return span_is(pack_span(&self->scratch), before->body);
}

/* Makes or refreshes the request of a node; it is told to operators when it is new. An operator
 * approves by the id what was shown with it, so whatever is asked otherwise takes a new one, and
 * the one before is void. The record is left in self->scratch. 0, a FAIL_* or a fault. */
static int request_put(struct node *self, const struct ask *ask, bool *ret_is_new)
{
    int64_t now_ms = clock_wall_ms();
    int r = requests_prune(self, now_ms);
    const struct shelf_item *before = pairing_request_of(self, ask->node_id);
    char id[IDS_UUID_MAX];

    if (r) {
        return r;
    }
    *ret_is_new = !before || !is_repeat(self, ask, before);
    if (*ret_is_new) {
        ids_uuid(id);
    } else {
        (void)snprintf(id, sizeof(id), "%s", before->id); /* fits */
    }
    pack_reset(&self->scratch);
    request_pack(ask, before ? before->body : (struct span){ 0 }, id, now_ms, &self->scratch);
    r = pack_error(&self->scratch);
    if (!r && before && *ret_is_new) {
        r = shelf_drop(self->shelf, KIND_REQUEST, span_from(before->id));
    }
    r = r ? r : shelf_put(self->shelf, KIND_REQUEST, span_from(id), ask->node_id, now_ms, pack_span(&self->scratch));
    r = shelf_failure(r);
    return r || !*ret_is_new
               ? r
               : actor_publish_span(self->actor, EVENT_NODE_PAIR_REQUESTED, pack_span(&self->scratch), NULL);
}

int pairing_ask_for(struct node *self, const struct session *session, struct span commands)
{
    const struct msg_node_join *who = &session->who;
    bool is_new;

    return request_put(self,
                       &(struct ask){ .node_id = who->node_id,
                                      .display_name = who->display_name,
                                      .platform = who->platform,
                                      .version = who->version,
                                      .device_family = who->device_family,
                                      .model_identifier = who->model_identifier,
                                      .caps = who->caps,
                                      .commands = commands,
                                      .remote_ip = who->remote_ip },
                       &is_new);
}

int on_node_pair_request(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pair_request *in = msg;
    bool is_new = false;
    int r = request_put(self,
                        &(struct ask){ .node_id = in->node_id,
                                       .display_name = in->display_name,
                                       .platform = in->platform,
                                       .version = in->version,
                                       .core_version = in->core_version,
                                       .ui_version = in->ui_version,
                                       .device_family = in->device_family,
                                       .model_identifier = in->model_identifier,
                                       .caps = in->caps,
                                       .commands = in->commands,
                                       .remote_ip = in->remote_ip,
                                       .is_silent = in->silent },
                        &is_new);

    if (r) {
        return r;
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_text(&self->pack, "status", "pending");
    pack_kv_raw(&self->pack, "request", pack_span(&self->scratch));
    pack_kv_bool(&self->pack, "created", is_new);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- the list ------------------------------------------------------------------------------------ */

static int newest_first(const void *a, const void *b)
{
    const struct shelf_item *const *left = a;
    const struct shelf_item *const *right = b;

    return ((*left)->at_ms < (*right)->at_ms) - ((*left)->at_ms > (*right)->at_ms);
}

/* A copy of a map without the keys that are ours alone, left open for more. */
static void public_open(struct span map, struct pack *out)
{
    struct value_iter iter = value_iter(map);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&iter, &key, &item)) {
        if (!span_is(key, SPAN_LIT("token")) && !span_starts(key, "_")) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
}

static void pending_row(const struct shelf_item *item, struct pack *out)
{
    const char *const *scopes = policy_approval_scopes(value_get(item->body, "commands"));

    public_open(item->body, out);
    pack_key(out, "requiredApproveScopes");
    pack_array_begin(out);
    for (; *scopes; scopes++) {
        pack_text(out, *scopes);
    }
    pack_array_end(out);
    pack_map_end(out);
}

static void paired_row(const struct node *self, const struct shelf_item *item, struct pack *out)
{
    static const char *const keys[] = { "lastConnectedAtMs", "lastSeenAtMs", "lastSeenReason" };
    const struct shelf_item *seen = shelf_find(self->shelf, KIND_SEEN, span_from(item->id));

    public_open(item->body, out);
    for (size_t i = 0; seen && i < ARRAY_LEN(keys); i++) {
        struct span value = value_get(seen->body, keys[i]);

        if (value.len) {
            pack_kv_raw(out, keys[i], value);
        }
    }
    pack_map_end(out);
}

/* The items of a kind, newest first; the array is the caller's to free. NULL without memory. */
static const struct shelf_item **items_sorted(const struct node *self, unsigned kind, size_t *ret_n)
{
    size_t n = 0;
    const struct shelf_item **items = malloc((shelf_count(self->shelf, kind) + 1) * sizeof(const struct shelf_item *));

    for (const struct shelf_item *at = shelf_first(self->shelf, kind); items && at; at = at->next) {
        items[n++] = at;
    }
    if (items) {
        qsort(items, n, sizeof(const struct shelf_item *), newest_first);
    }
    *ret_n = n;
    return items;
}

int on_node_pair_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    int r = requests_prune(self, clock_wall_ms());
    size_t pending_n;
    size_t paired_n;
    CLEANUP(mem_free) const struct shelf_item **pending = items_sorted(self, KIND_REQUEST, &pending_n);
    CLEANUP(mem_free) const struct shelf_item **paired = items_sorted(self, KIND_PAIRED, &paired_n);

    (void)msg;
    if (r || !pending || !paired) {
        return r ? r : FAULT(-ENOMEM);
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_key(&self->pack, "pending");
    pack_array_begin(&self->pack);
    for (size_t i = 0; i < pending_n; i++) {
        pending_row(pending[i], &self->pack);
    }
    pack_array_end(&self->pack);
    pack_key(&self->pack, "paired");
    pack_array_begin(&self->pack);
    for (size_t i = 0; i < paired_n; i++) {
        paired_row(self, paired[i], &self->pack);
    }
    pack_array_end(&self->pack);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- decisions -------------------------------------------------------------------------------------- */

static int resolved_publish(struct node *self, struct span request_id, struct span node_id, const char *decision,
                            struct actor_ctx *ctx)
{
    return actor_publish(self->actor, EVENT_NODE_PAIR_RESOLVED,
                         &(struct event_node_pair_resolved){ .request_id = request_id,
                                                             .node_id = node_id,
                                                             .decision = span_from(decision),
                                                             .ts = (uint64_t)clock_wall_ms() },
                         ctx);
}

/* The pairing that a request becomes. The token is new each time, so that an older one dies. */
static void paired_pack(struct span request, struct span before, const char *token, int64_t now_ms, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_raw(out, "nodeId", value_get(request, "nodeId"));
    pack_kv_text(out, "token", token);
    for (const char *const *key = told_texts; *key; key++) {
        pack_kv_some(out, *key, map_text(request, *key));
    }
    list_keep(out, "caps", value_get(request, "caps"), (struct span){ 0 });
    list_keep(out, "commands", value_get(request, "commands"), (struct span){ 0 });
    pack_kv_some(out, "remoteIp", map_text(request, "remoteIp"));
    pack_kv_i64(out, "createdAtMs", value_i64(value_get(before, "createdAtMs"), now_ms));
    pack_kv_i64(out, "approvedAtMs", now_ms);
    pack_kv_some(out, "_name", map_text(before, "_name"));
    pack_map_end(out);
}

/* Packs the reply {requestId, node} into self->pack; the record is in self->scratch. */
static int approve(struct node *self, const struct shelf_item *request, int64_t now_ms)
{
    const struct shelf_item *before = shelf_find(self->shelf, KIND_PAIRED, span_from(request->owner));
    char token[IDS_TOKEN_MAX];
    int r;

    ids_token(token);
    pack_reset(&self->scratch);
    paired_pack(request->body, before ? before->body : (struct span){ 0 }, token, now_ms, &self->scratch);
    mem_wipe(token, sizeof(token));
    r = pack_error(&self->scratch);
    r = r ? r
          : shelf_put(self->shelf, KIND_PAIRED, span_from(request->owner), (struct span){ 0 }, now_ms,
                      pack_span(&self->scratch));
    if (r) {
        return r;
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_text(&self->pack, "requestId", request->id);
    pack_kv_raw(&self->pack, "node", pack_span(&self->scratch));
    pack_map_end(&self->pack);
    /* A crash before this leaves a request that can be approved once more, or expires. */
    return pack_error(&self->pack) ? pack_error(&self->pack)
                                   : shelf_drop(self->shelf, KIND_REQUEST, span_from(request->id));
}

int on_node_pair_approve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pair_approve *in = msg;
    int r = requests_prune(self, clock_wall_ms());
    const struct shelf_item *request = shelf_find(self->shelf, KIND_REQUEST, in->request_id);
    struct span node_id;
    const char *missing;

    if (r) {
        return r;
    }
    if (!request) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "unknown requestId");
    }
    missing = policy_missing_scope(policy_approval_scopes(value_get(request->body, "commands")), in->client.scopes);
    if (missing) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "missing scope: %s", missing);
    }
    r = shelf_failure(approve(self, request, clock_wall_ms()));
    if (r) {
        return r;
    }
    node_id = map_text(pack_span(&self->scratch), "nodeId");
    sessions_review(self, node_id);
    r = resolved_publish(self, in->request_id, node_id, "approved", ctx);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}

static void ids_pack(struct node *self, struct span request_id, struct span node_id)
{
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_some(&self->pack, "requestId", request_id);
    pack_kv_str(&self->pack, "nodeId", node_id);
    pack_map_end(&self->pack);
}

int on_node_pair_reject(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pair_reject *in = msg;
    int r = requests_prune(self, clock_wall_ms());
    const struct shelf_item *request = shelf_find(self->shelf, KIND_REQUEST, in->request_id);

    if (r || !request) {
        return r ? r : actor_fail(ctx, FAIL_INVALID_REQUEST, "unknown requestId");
    }
    ids_pack(self, in->request_id, span_from(request->owner));
    r = pack_error(&self->pack);
    r = r ? r : shelf_failure(shelf_drop(self->shelf, KIND_REQUEST, in->request_id));
    if (r) {
        return r;
    }
    r = resolved_publish(self, in->request_id, map_text(pack_span(&self->pack), "nodeId"), "rejected", ctx);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}

int on_node_pair_remove(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pair_remove *in = msg;
    int r;

    if (!shelf_find(self->shelf, KIND_PAIRED, in->node_id)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "unknown nodeId");
    }
    r = shelf_failure(shelf_drop(self->shelf, KIND_PAIRED, in->node_id));
    if (r) {
        return r;
    }
    sessions_review(self, in->node_id);
    pending_forget(self, in->node_id);
    r = resolved_publish(self, (struct span){ "", 0 }, in->node_id, "removed", ctx);
    ids_pack(self, (struct span){ 0 }, in->node_id);
    r = r ? r : pack_error(&self->pack);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}

/* A disk that fails leaves records that say too much; the device cannot connect in any case. */
int pairing_forget(struct node *self, struct span node_id)
{
    const struct shelf_item *request;
    bool was_paired = shelf_find(self->shelf, KIND_PAIRED, node_id) != NULL;
    int r = shelf_drop(self->shelf, KIND_PAIRED, node_id);

    while (r == 0 && (request = pairing_request_of(self, node_id)) != NULL) {
        r = shelf_drop(self->shelf, KIND_REQUEST, span_from(request->id));
    }
    r = r ? r : shelf_drop(self->shelf, KIND_SEEN, node_id);
    if (r < 0) {
        return r;
    }
    sessions_review(self, node_id);
    pending_forget(self, node_id);
    return was_paired ? resolved_publish(self, (struct span){ "", 0 }, node_id, "removed", NULL) : 0;
}

int on_node_pair_verify(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_pair_verify *in = msg;
    const struct shelf_item *paired = shelf_find(self->shelf, KIND_PAIRED, in->node_id);
    bool is_right = paired && ids_same_secret(map_text(paired->body, "token"), in->token);

    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_bool(&self->pack, "ok", is_right);
    if (is_right) {
        pack_key(&self->pack, "node");
        public_open(paired->body, &self->pack);
        pack_map_end(&self->pack);
    }
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- names ------------------------------------------------------------------------------------------- */

static void renamed_pack(struct span body, struct span name, struct pack *out)
{
    struct value_iter iter = value_iter(body);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&iter, &key, &item)) {
        if (!span_is(key, SPAN_LIT("displayName")) && !span_is(key, SPAN_LIT("_name"))) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
    pack_kv_str(out, "displayName", name);
    pack_kv_str(out, "_name", name);
    pack_map_end(out);
}

int on_node_rename(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_rename *in = msg;
    const struct shelf_item *paired = shelf_find(self->shelf, KIND_PAIRED, in->node_id);
    struct span name = span_trim(in->display_name);
    int r;

    if (!name.len) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "displayName required");
    }
    if (!paired) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "unknown nodeId");
    }
    pack_reset(&self->scratch);
    renamed_pack(paired->body, name, &self->scratch);
    r = pack_error(&self->scratch);
    r = r ? r
          : shelf_put(self->shelf, KIND_PAIRED, in->node_id, (struct span){ 0 }, paired->at_ms,
                      pack_span(&self->scratch));
    r = shelf_failure(r);
    if (r) {
        return r;
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_str(&self->pack, "nodeId", in->node_id);
    pack_kv_str(&self->pack, "displayName", name);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}
