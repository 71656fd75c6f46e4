/*
 * grants: what "always" stands for. Whoever was allowed a command for ever is not asked about
 * when he asks for exactly the same again, until somebody revokes the grant or its time is over.
 *
 * Exactly: the same asker, agent, host and node, the same command, arguments, folder and
 * variables. The asker is a device, the owner, or a user that a proxy vouches for. A policy
 * that wants to be asked every time is asked every time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/approval/approval_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"
#include "bus/value.h"

#define GRANTS_SHOWN 200U
#define DAY_MS 86400000LL
#define COMMAND_MAX 512U
#define NAME_MAX_SHOWN 200U

static bool is_alive(const struct shelf_item *item, int64_t now_ms)
{
    int64_t expires_ms = value_i64(value_get(item->body, "expiresAtMs"), INT64_MAX);

    return value_kind_of(value_get(item->body, "revokedAtMs")) == VALUE_NIL && expires_ms > now_ms;
}

static const struct shelf_item *find(const struct approval *self, struct span asker, struct span operation)
{
    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_GRANT); at; at = at->next) {
        if (span_is_text(asker, at->owner) && span_is(map_text(at->body, "operation"), operation)) {
            return at;
        }
    }
    return NULL;
}

/* The grant as it was, but for the fields of `changed`. */
static int change(struct approval *self, const struct shelf_item *item, struct span changed)
{
    struct value_iter iter = value_iter(item->body);
    char id[37];
    char owner[64];
    struct span key;
    struct span value;

    pack_reset(&self->record);
    pack_map_begin(&self->record);
    while (value_next(&iter, &key, &value)) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%.*s", SPAN_FMT(key)); /* our own keys are shorter */
        pack_key_span(&self->record, key);
        pack_raw(&self->record, value_get(changed, name).len ? value_get(changed, name) : value);
    }
    pack_map_end(&self->record);
    (void)snprintf(id, sizeof(id), "%s", item->id); /* they go with the item that is replaced */
    (void)snprintf(owner, sizeof(owner), "%s", item->owner);
    int r = pack_error(&self->record);
    return r ? r
             : shelf_failure(shelf_put(self->shelf, KIND_GRANT, span_from(id), span_from(owner), item->at_ms,
                                       pack_span(&self->record)));
}

int grants_use(struct approval *self, struct span asker, struct span operation, char ret_id[37])
{
    const struct shelf_item *item = find(self, asker, operation);
    int64_t now_ms = clock_wall_ms();

    ret_id[0] = '\0';
    if (!item || !is_alive(item, now_ms)) {
        return 0;
    }
    (void)snprintf(ret_id, 37, "%s", item->id);
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_i64(&self->scratch, "lastUsedAtMs", now_ms);
    pack_kv_i64(&self->scratch, "useCount", value_i64(value_get(item->body, "useCount"), 0) + 1);
    pack_map_end(&self->scratch);
    int r = pack_error(&self->scratch);
    return r ? r : change(self, item, pack_span(&self->scratch));
}

/* --- making one --------------------------------------------------------------------------------------- */

/* Makes room: first what is dead, then what is oldest. */
static int prune(struct approval *self, int64_t now_ms)
{
    int r = 0;

    while (!r && shelf_count(self->shelf, KIND_GRANT) >= GRANTS_MAX) {
        const struct shelf_item *out = shelf_first(self->shelf, KIND_GRANT);
        char id[37];

        for (const struct shelf_item *at = out; at; at = at->next) {
            if (!is_alive(at, now_ms)) {
                out = at;
                break;
            }
        }
        if (!out) {
            break;
        }
        (void)snprintf(id, sizeof(id), "%s", out->id);
        r = shelf_drop(self->shelf, KIND_GRANT, span_from(id));
    }
    return shelf_failure(r);
}

static void grant_pack(const struct record *record, uint32_t days, int64_t now_ms, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "approvalId", record->item->id);
    pack_kv_str(out, "operation", map_text(record->item->body, "operation"));
    pack_kv_or_nil(out, "askerName", utf8_cut(map_text(record->item->body, "askerName"), NAME_MAX_SHOWN));
    pack_kv_or_nil(out, "agentId", map_text(record->request, "agentId"));
    pack_kv_str(out, "command", utf8_cut(map_text(record->request, "command"), COMMAND_MAX));
    pack_kv_or_nil(out, "cwd", utf8_cut(map_text(record->request, "cwd"), COMMAND_MAX));
    pack_kv_i64(out, "createdAtMs", now_ms);
    pack_key(out, "expiresAtMs");
    if (days) {
        pack_i64(out, now_ms + days * DAY_MS);
    } else {
        pack_nil(out);
    }
    pack_kv_or_nil(out, "revokedAtMs", (struct span){ 0 });
    pack_kv_or_nil(out, "revokedBy", (struct span){ 0 });
    pack_kv_or_nil(out, "lastUsedAtMs", (struct span){ 0 });
    pack_kv_i64(out, "useCount", 0);
    pack_map_end(out);
}

int grants_mint(struct approval *self, const struct record *record, uint32_t days)
{
    int64_t now_ms = clock_wall_ms();
    struct span asker = map_text(record->item->body, "asker");
    struct span operation = map_text(record->item->body, "operation");
    const struct shelf_item *before = find(self, asker, operation);
    char id[37];
    int r = 0;

    if (!asker.len || !operation.len) {
        return 0; /* the asker is nobody in particular */
    }
    pack_reset(&self->record);
    grant_pack(record, days, now_ms, &self->record);
    r = pack_error(&self->record);
    CLEANUP(mem_free) char *owner = mem_text(asker.ptr, asker.len);
    if (before && !r) {
        (void)snprintf(id, sizeof(id), "%s", before->id);
        r = shelf_failure(shelf_drop(self->shelf, KIND_GRANT, span_from(id)));
    }
    approval_uuid(id);
    r = r ? r : prune(self, now_ms);
    return r ? r
             : shelf_failure(shelf_put(self->shelf, KIND_GRANT, span_from(id), span_from(owner), now_ms,
                                       pack_span(&self->record)));
}

/* --- what operators see ---------------------------------------------------------------------------------- */

/* Older clients call whoever asks an automation. */
static void shown_pack(const struct shelf_item *item, struct pack *out)
{
    static const char *const plain[] = { "agentId",     "command",   "cwd",          "createdAtMs", "expiresAtMs",
                                         "revokedAtMs", "revokedBy", "lastUsedAtMs", "useCount" };

    pack_map_begin(out);
    pack_kv_text(out, "grantId", item->id);
    pack_kv_raw(out, "mintedByApprovalId", value_get(item->body, "approvalId"));
    pack_kv_text(out, "cronJobId", item->owner);
    pack_kv_raw(out, "cronJobName", value_get(item->body, "askerName"));
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        struct span value = value_get(item->body, plain[i]);

        if (i == 0 && value_kind_of(value) == VALUE_NIL) {
            pack_kv_text(out, plain[i], "main");
        } else {
            pack_kv_raw(out, plain[i], value);
        }
    }
    pack_map_end(out);
}

int on_exec_approval_grants_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_exec_approval_grants_list *in = msg;
    size_t limit = in->has_limit ? in->limit : GRANTS_SHOWN;
    const struct shelf_item *rows[GRANTS_MAX];
    size_t n = 0;

    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_GRANT); at && n < GRANTS_MAX; at = at->next) {
        rows[n++] = at;
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_key(&self->pack, "grants");
    pack_array_begin(&self->pack);
    for (size_t i = n; i > 0 && n - i < limit; i--) {
        shown_pack(rows[i - 1], &self->pack);
    }
    pack_array_end(&self->pack);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

static int outcome_reply(struct approval *self, struct actor_ctx *ctx, const char *outcome)
{
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_text(&self->pack, "outcome", outcome);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

int on_exec_approval_grants_revoke(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_exec_approval_grants_revoke *in = msg;
    const struct shelf_item *item = shelf_find(self->shelf, KIND_GRANT, span_trim(in->grant_id));
    struct span by =
        in->client.has_display_name && in->client.display_name.len ? in->client.display_name : in->client.client_id;

    if (!item) {
        return outcome_reply(self, ctx, "not-found");
    }
    if (value_kind_of(value_get(item->body, "revokedAtMs")) != VALUE_NIL) {
        return outcome_reply(self, ctx, "already-revoked");
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_i64(&self->scratch, "revokedAtMs", clock_wall_ms());
    pack_kv_str(&self->scratch, "revokedBy", by.len ? utf8_cut(by, NAME_MAX_SHOWN) : SPAN_LIT("operator"));
    pack_map_end(&self->scratch);
    int r = pack_error(&self->scratch);
    r = r ? r : change(self, item, pack_span(&self->scratch));
    return r ? r : outcome_reply(self, ctx, "revoked");
}
