/*
 * past: questions of every kind in the one shape that newer clients know, and what became
 * of those that were decided in the last 30 days.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/approval/approval_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define PAST_MS (30LL * 24 * 3600 * 1000)
#define PAGE_DEFAULT 50U
#define SHOWN_MAX 4096U /* of a command that is remembered */
#define KEY_MAX (ID_MAX + 24U)

/* --- the shape ------------------------------------------------------------------------------- */

static void some_pack(struct pack *out, const char *key, struct span text)
{
    if (text.len) {
        pack_kv_str(out, key, text);
    }
}

static struct span cut(struct span text)
{
    if (text.len > SHOWN_MAX) {
        text.len = SHOWN_MAX;
        while (text.len && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80) {
            text.len--; /* not inside a character */
        }
    }
    return text;
}

static void exec_pack(struct approval *self, struct span request, struct pack *out)
{
    pack_kv_text(out, "kind", "exec");
    pack_kv_str(out, "commandText", cut(map_text(request, "command")));
    pack_kv_or_nil(out, "commandPreview", cut(exec_preview(self, request)));
    pack_kv_or_nil(out, "warningText", cut(map_text(request, "warningText")));
    pack_kv_or_nil(out, "host", map_text(request, "host"));
    pack_kv_or_nil(out, "nodeId", map_text(request, "nodeId"));
}

static void plugin_pack(struct span request, struct pack *out)
{
    struct span severity = map_text(request, "severity");

    pack_kv_text(out, "kind", "plugin");
    pack_kv_str(out, "title", map_text(request, "title"));
    pack_kv_str(out, "description", map_text(request, "description"));
    pack_kv_str(out, "severity", severity.len ? severity : SPAN_LIT("warning"));
    pack_kv_or_nil(out, "pluginId", map_text(request, "pluginId"));
    pack_kv_or_nil(out, "toolName", map_text(request, "toolName"));
}

/* "/approve/" and the id, as it can stand in an address. */
static int path_pack(struct approval *self, const char *id, struct pack *out)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()";
    int r;

    self->text.len = 0;
    r = text_buf_add(&self->text, SPAN_LIT("/approve/"));
    for (; !r && *id; id++) {
        char code[4];

        (void)snprintf(code, sizeof(code), "%%%02X", (unsigned char)*id);
        r = text_buf_add(&self->text, strchr(plain, *id) ? (struct span){ id, 1 } : span_from(code));
    }
    if (!r) {
        pack_kv_str(out, "urlPath", buf_span(&self->text));
    }
    return r;
}

static void source_pack(struct span request, struct pack *out)
{
    pack_key(out, "source");
    pack_map_begin(out);
    some_pack(out, "agentId", map_text(request, "agentId"));
    some_pack(out, "sessionKey", map_text(request, "sessionKey"));
    pack_map_end(out);
}

static void end_pack(const struct record *record, struct pack *out)
{
    struct span body = record->item->body;
    bool is_no_route = span_is(map_text(body, "resolvedBy"), SPAN_LIT("no-approval-route"));
    bool is_denied = is_no_route || span_is(record->decision, SPAN_LIT("deny"));
    struct span resolver = value_get(body, "resolver");

    pack_kv_text(out, "status", is_denied ? "denied" : record->decision.len ? "allowed" : "expired");
    if (is_denied || record->decision.len) {
        pack_kv_str(out, "decision", is_denied ? SPAN_LIT("deny") : record->decision);
    }
    pack_kv_text(out, "reason", is_no_route ? "no-route" : record->decision.len ? "user" : "timeout");
    pack_kv_raw(out, "resolvedAtMs", value_get(body, "resolvedAtMs"));
    source_pack(record->request, out);
    if (resolver.len) {
        pack_kv_raw(out, "resolver", resolver);
    }
}

/* Appends one map. 0 or a fault. */
static int shape_pack(struct approval *self, unsigned kind, const struct record *record, struct pack *out)
{
    int r;

    pack_map_begin(out);
    pack_kv_text(out, "id", record->item->id);
    r = path_pack(self, record->item->id, out);
    pack_kv_i64(out, "createdAtMs", record->created_ms);
    pack_kv_i64(out, "expiresAtMs", record->expires_ms);
    pack_key(out, "presentation");
    pack_map_begin(out);
    if (kind == KIND_EXEC) {
        exec_pack(self, record->request, out);
    } else {
        plugin_pack(record->request, out);
    }
    pack_kv_or_nil(out, "agentId", map_text(record->request, "agentId"));
    pack_key(out, "allowedDecisions");
    asking_allowed(record->request, out);
    pack_map_end(out);
    if (record->is_resolved) {
        end_pack(record, out);
    } else {
        pack_kv_text(out, "status", "pending");
        some_pack(out, "sourceSessionKey", map_text(record->request, "sessionKey"));
    }
    pack_map_end(out);
    return r; /* the caller asks the pack, once it is whole */
}

/* --- what is remembered ---------------------------------------------------------------------------- */

static int64_t resolved_ms(const struct record *record)
{
    return value_i64(value_get(record->item->body, "resolvedAtMs"), 0);
}

/* Makes room for one more. */
static int past_prune(struct approval *self, int64_t now_ms)
{
    const struct shelf_item *oldest;
    int r = 0;

    while (!r && (oldest = shelf_first(self->shelf, KIND_PAST)) != NULL &&
           (oldest->at_ms < now_ms - PAST_MS || shelf_count(self->shelf, KIND_PAST) >= APPROVALS_PAST_MAX)) {
        char key[KEY_MAX];

        (void)snprintf(key, sizeof(key), "%s", oldest->id);
        r = shelf_drop(self->shelf, KIND_PAST, span_from(key));
    }
    return r;
}

/* The same id may be asked for again later, so the time belongs to the key. */
int past_keep(struct approval *self, unsigned kind, const struct record *record)
{
    char key[KEY_MAX];
    int r;

    (void)snprintf(key, sizeof(key), "%" PRId64 " %s", record->created_ms, record->item->id);
    pack_reset(&self->scratch);
    r = shape_pack(self, kind, record, &self->scratch);
    r = r ? r : pack_error(&self->scratch);
    r = r ? r : past_prune(self, clock_wall_ms());
    r = r ? r
          : shelf_put(self->shelf, KIND_PAST, span_from(key), span_from(record->item->id), resolved_ms(record),
                      pack_span(&self->scratch));
    return shelf_failure(r);
}

/* --- finding --------------------------------------------------------------------------------------- */

/* One that waits or was decided a moment ago, else the newest of that id that is remembered. */
struct found {
    unsigned kind; /* KIND_PAST: only its shape is left */
    struct record record;
    struct span shape;
};

static bool found_look(const struct approval *self, struct span id, struct found *ret_found)
{
    *ret_found = (struct found){ .kind = KIND_PAST };
    for (unsigned kind = KIND_EXEC; kind <= KIND_PLUGIN; kind++) {
        const struct shelf_item *item = shelf_find(self->shelf, kind, id);

        if (item) {
            *ret_found = (struct found){ .kind = kind, .record = record_read(item) };
            return true;
        }
    }
    for (const struct shelf_item *at = shelf_first(self->shelf, KIND_PAST); at; at = at->next) {
        if (span_is_text(id, at->owner)) {
            ret_found->shape = at->body;
        }
    }
    return ret_found->shape.len > 0;
}

static int found_pack(struct approval *self, const struct found *found, struct pack *out)
{
    if (found->kind == KIND_PAST) {
        pack_raw(out, found->shape);
        return 0;
    }
    return shape_pack(self, found->kind, &found->record, out);
}

static int not_found(struct approval *self, struct actor_ctx *ctx)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "reason", "APPROVAL_NOT_FOUND");
    pack_map_end(&self->scratch);
    return actor_fail_with(ctx, &(struct failure){ .code = FAIL_INVALID_REQUEST,
                                                   .message = SPAN_LIT("approval not found"),
                                                   .details = pack_span(&self->scratch) });
}

int on_approval_get(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_approval_get *in = msg;
    struct found found;
    int r;

    if (!found_look(self, in->id, &found)) {
        return not_found(self, ctx);
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_key(&self->pack, "approval");
    r = found_pack(self, &found, &self->pack);
    pack_map_end(&self->pack);
    r = r ? r : pack_error(&self->pack);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- the list ---------------------------------------------------------------------------------------- */

struct entry {
    int64_t at_ms;
    unsigned kind;
    const struct shelf_item *item;
};

static int newest_first(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;

    return left->at_ms != right->at_ms ? (left->at_ms < right->at_ms) - (left->at_ms > right->at_ms)
                                       : -strcmp(left->item->id, right->item->id);
}

static bool is_of_kind(const struct shelf_item *item, unsigned kind, struct span wanted)
{
    struct span name = kind == KIND_EXEC     ? SPAN_LIT("exec")
                       : kind == KIND_PLUGIN ? SPAN_LIT("plugin")
                                             : map_text(value_get(item->body, "presentation"), "kind");

    return !wanted.len || span_is(name, wanted);
}

/* Everything that was decided, newest first; NULL without memory. */
static struct entry *entries_sorted(const struct approval *self, struct span wanted, size_t *ret_n)
{
    int64_t since_ms = clock_wall_ms() - PAST_MS;
    size_t most = 0;
    size_t n = 0;

    for (unsigned kind = KIND_EXEC; kind <= KIND_PAST; kind++) {
        most += shelf_count(self->shelf, kind);
    }
    struct entry *entries = malloc((most + 1) * sizeof(*entries));
    for (unsigned kind = KIND_EXEC; entries && kind <= KIND_PAST; kind++) {
        for (const struct shelf_item *at = shelf_first(self->shelf, kind); at; at = at->next) {
            struct record record = record_read(at);
            int64_t at_ms = kind == KIND_PAST ? at->at_ms : record.is_resolved ? resolved_ms(&record) : 0;

            if (at_ms >= since_ms && is_of_kind(at, kind, wanted)) {
                entries[n++] = (struct entry){ .at_ms = at_ms, .kind = kind, .item = at };
            }
        }
    }
    if (entries) {
        qsort(entries, n, sizeof(*entries), newest_first);
    }
    *ret_n = n;
    return entries;
}

/* A cursor says where to go on: at which time, and how many of that time were shown. */
static bool cursor_read(struct span text, int64_t *ret_at_ms, unsigned *ret_shown)
{
    char buf[64];
    char again[64];

    *ret_at_ms = INT64_MAX;
    *ret_shown = 0;
    if (!text.len) {
        return true;
    }
    if (text.len >= sizeof(buf)) {
        return false;
    }
    (void)snprintf(buf, sizeof(buf), "%.*s", SPAN_FMT(text));
    if (sscanf(buf, "%" SCNd64 ".%u", ret_at_ms, ret_shown) != 2) { /* NOLINT(cert-err34-c): written again below */
        return false;
    }
    (void)snprintf(again, sizeof(again), "%" PRId64 ".%u", *ret_at_ms, *ret_shown);
    return strcmp(buf, again) == 0;
}

static size_t cursor_place(const struct entry *entries, size_t n, int64_t at_ms, unsigned shown)
{
    size_t at = 0;

    while (at < n && entries[at].at_ms > at_ms) {
        at++;
    }
    for (; at < n && shown && entries[at].at_ms == at_ms; at++) {
        shown--;
    }
    return at;
}

static void cursor_pack(const struct entry *entries, size_t end, struct pack *out)
{
    int64_t at_ms = entries[end - 1].at_ms;
    unsigned shown = 0;
    char text[64];

    for (size_t i = end; i > 0 && entries[i - 1].at_ms == at_ms; i--) {
        shown++;
    }
    (void)snprintf(text, sizeof(text), "%" PRId64 ".%u", at_ms, shown);
    pack_kv_text(out, "nextCursor", text);
}

int on_approval_history(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_approval_history *in = msg;
    size_t limit = in->has_limit ? in->limit : PAGE_DEFAULT;
    int64_t at_ms;
    unsigned shown;
    size_t n;
    int r = 0;

    if (!cursor_read(in->cursor, &at_ms, &shown)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid approval.history cursor");
    }
    CLEANUP(mem_free) struct entry *entries = entries_sorted(self, in->kind, &n);
    if (!entries) {
        return FAULT(-ENOMEM);
    }
    size_t at = cursor_place(entries, n, at_ms, shown);
    size_t end = n - at > limit ? at + limit : n;
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_key(&self->pack, "items");
    pack_array_begin(&self->pack);
    for (; !r && at < end; at++) {
        struct found found = { .kind = entries[at].kind, .shape = entries[at].item->body };

        found.record = record_read(entries[at].item);
        r = found_pack(self, &found, &self->pack);
    }
    pack_array_end(&self->pack);
    if (end < n) {
        cursor_pack(entries, end, &self->pack);
    }
    pack_map_end(&self->pack);
    r = r ? r : pack_error(&self->pack);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}

/* --- deciding ----------------------------------------------------------------------------------------- */

static int resolved_reply(struct approval *self, struct actor_ctx *ctx, struct span id, bool is_applied)
{
    struct found found;
    int r;

    if (!found_look(self, id, &found)) {
        return not_found(self, ctx);
    }
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_bool(&self->pack, "applied", is_applied);
    pack_key(&self->pack, "approval");
    r = found_pack(self, &found, &self->pack);
    pack_map_end(&self->pack);
    r = r ? r : pack_error(&self->pack);
    return r ? r : actor_reply_span(ctx, pack_span(&self->pack));
}

/* The first answer counts; whoever comes later is told it. */
int on_approval_resolve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct approval *self = arg;
    const struct msg_approval_resolve *in = msg;
    unsigned kind = span_is(in->kind, SPAN_LIT("exec")) ? KIND_EXEC : KIND_PLUGIN;
    struct verdict verdict = { .kind = kind,
                               .id = in->id,
                               .decision = in->decision,
                               .days = in->has_grant_expires_in_days ? in->grant_expires_in_days : 0,
                               .client = &in->client };
    struct found found;
    int r;

    if (!found_look(self, in->id, &found)) {
        return not_found(self, ctx);
    }
    if (found.kind == KIND_PAST || found.record.is_resolved) {
        return resolved_reply(self, ctx, in->id, false);
    }
    if (found.kind != kind || span_is(in->kind, SPAN_LIT("system-agent"))) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "the approval is of another kind");
    }
    if (!asking_allows(found.record.request, in->decision)) {
        return asking_not_allowed(self, ctx, &verdict, &found.record);
    }
    r = asking_decide(self, ctx, &verdict, &found.record);
    return r ? r : resolved_reply(self, ctx, in->id, true);
}
