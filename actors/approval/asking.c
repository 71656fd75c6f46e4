/*
 * asking: what commands and plug-ins have in common: people are told, somebody decides or
 * the time runs out, and everyone who waits hears of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actors/approval/approval_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define ROUTE_MS 2000U

/* Somebody who waits for a decision; the cookie of the deferred call. */
struct waiter {
    struct waiter *next;
    struct actor_token token;
    unsigned kind;
    char *id;
};

/* Is there anybody to ask? The cookie of that question. */
struct question {
    unsigned kind;
    bool is_two_phase;
    struct actor_token token;
    char *id;
};

/* --- waiting -------------------------------------------------------------------------------------- */

static struct actor_token waiter_add(struct approval *self, struct actor_ctx *ctx, unsigned kind, struct span id)
{
    struct waiter *waiter = mem_new(sizeof(*waiter));

    waiter->kind = kind;
    waiter->id = mem_text(id.ptr, id.len);
    waiter->next = self->waiters;
    waiter->token = actor_defer(ctx, waiter);
    self->waiters = waiter;
    return waiter->token;
}

static void waiter_free(struct waiter *waiter)
{
    free(waiter->id);
    free(waiter);
}

static void decision_pack(const struct record *record, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "id", record->item->id);
    pack_kv_or_nil(out, "decision", record->decision);
    pack_kv_i64(out, "createdAtMs", record->created_ms);
    pack_kv_i64(out, "expiresAtMs", record->expires_ms);
    pack_map_end(out);
}

int waiters_answer(struct approval *self, unsigned kind, const struct record *record)
{
    struct waiter **at = &self->waiters;
    int r;

    pack_reset(&self->pack);
    decision_pack(record, &self->pack);
    r = pack_error(&self->pack);
    while (!r && *at) {
        struct waiter *waiter = *at;

        if (waiter->kind != kind || strcmp(waiter->id, record->item->id) != 0) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        r = actor_token_reply_span(self->actor, waiter->token, pack_span(&self->pack));
        waiter_free(waiter);
    }
    return r;
}

void on_approval_cancel(void *state, struct actor *actor, void *cookie)
{
    struct approval *self = state;
    struct waiter **at = &self->waiters;

    (void)actor;
    while (*at != cookie) {
        at = &(*at)->next;
    }
    *at = (*at)->next;
    waiter_free(cookie);
}

void waiters_free(struct approval *self)
{
    while (self->waiters) {
        struct waiter *waiter = self->waiters;

        self->waiters = waiter->next;
        waiter_free(waiter);
    }
}

/* --- a new request ----------------------------------------------------------------------------------- */

static int accepted_send(struct approval *self, const struct question *question, const struct record *record)
{
    int r = actor_stream_send(self->actor, question->token, MSG_APPROVAL_ACCEPTED,
                              &(struct msg_approval_accepted){ .status = SPAN_LIT("accepted"),
                                                               .id = span_from(record->item->id),
                                                               .created_at_ms = record->created_ms,
                                                               .expires_at_ms = record->expires_ms });

    return r < 0 ? r : 0; /* who asked without a window does not want it */
}

/* Nobody to ask: it ends here, rather than after half an hour. Unless health cannot say. */
static int route_take(struct approval *self, const struct question *question, const struct actor_answer *answer)
{
    const struct msg_approvers_count *count = answer->msg;
    const struct shelf_item *item = shelf_find(self->shelf, question->kind, span_from(question->id));
    struct record record;

    if (!item) {
        return 0;
    }
    record = record_read(item);
    if (record.is_resolved) {
        return 0; /* somebody was quick */
    }
    if (!answer->failure && count->approvers == 0) {
        int r = record_close(self, question->kind, span_from(question->id),
                             &(struct closing){ .by = SPAN_LIT("no-approval-route") });

        return r ? (r < 0 ? r : 0) : record_tell(self, question->kind, span_from(question->id));
    }
    return question->is_two_phase ? accepted_send(self, question, &record) : 0;
}

static void on_route(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct question *question = cookie;
    int r = route_take(state, question, answer);

    free(question->id);
    free(question);
    if (r) {
        (void)actor_fault(actor, r);
    }
}

static int route_ask(struct approval *self, struct actor_ctx *ctx, struct question *question,
                     const struct type_client *client)
{
    struct actor_call call = { .to = "health",
                               .msg = MSG_APPROVERS_READ,
                               .in = &(struct msg_approvers_read){ .has_except_conn_id = true,
                                                                   .except_conn_id = client->conn_id },
                               .deadline_ms = ROUTE_MS,
                               .cause = ctx,
                               .on_answer = on_route,
                               .cookie = question };
    int r = actor_call(self->actor, &call, NULL);

    if (r) {
        free(question->id);
        free(question);
    }
    return r;
}

int asking_answer(struct approval *self, struct actor_ctx *ctx, unsigned kind, struct span id)
{
    const struct shelf_item *item = shelf_find(self->shelf, kind, id);
    struct record record;

    if (!item) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the request expired at once");
    }
    record = record_read(item);
    pack_reset(&self->pack);
    decision_pack(&record, &self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

int asking_start(struct approval *self, struct actor_ctx *ctx, unsigned kind, struct span id,
                 const struct type_client *client, bool is_two_phase)
{
    const struct schema_msg *event =
        kind == KIND_EXEC ? EVENT_EXEC_APPROVAL_REQUESTED : EVENT_PLUGIN_APPROVAL_REQUESTED;
    const struct shelf_item *item = shelf_find(self->shelf, kind, id);
    struct question *question;
    struct record record;
    int r;

    if (!item) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "the request expired at once");
    }
    record = record_read(item);
    pack_reset(&self->pack);
    record_pack(&record, &self->pack);
    r = pack_error(&self->pack);
    r = r ? r : actor_publish_span(self->actor, event, pack_span(&self->pack), ctx);
    if (r) {
        return r;
    }
    if (record.is_resolved) { /* its time was over at once: whoever waited has been told, and nobody waits yet */
        return asking_answer(self, ctx, kind, id);
    }
    question = mem_new(sizeof(*question));
    *question = (struct question){ .kind = kind, .is_two_phase = is_two_phase, .id = mem_text(id.ptr, id.len) };
    question->token = waiter_add(self, ctx, kind, id);
    return route_ask(self, ctx, question, client);
}

/* --- the rest --------------------------------------------------------------------------------------------- */

int asking_wait(struct approval *self, struct actor_ctx *ctx, unsigned kind, struct span id)
{
    const struct shelf_item *item;
    struct record record;

    id = span_trim(id);
    if (!id.len) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "id is required");
    }
    item = shelf_find(self->shelf, kind, id);
    if (!item) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "approval expired or not found");
    }
    record = record_read(item);
    if (!record.is_resolved) {
        (void)waiter_add(self, ctx, kind, id); /* the token is kept by the waiter */
        return 0;
    }
    pack_reset(&self->pack);
    decision_pack(&record, &self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

int asking_list(struct approval *self, struct actor_ctx *ctx, unsigned kind)
{
    pack_reset(&self->pack);
    pack_array_begin(&self->pack);
    for (const struct shelf_item *at = shelf_first(self->shelf, kind); at; at = at->next) {
        struct record record = record_read(at);

        if (!record.is_resolved) {
            record_pack(&record, &self->pack);
        }
    }
    pack_array_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

int asking_unknown(struct approval *self, struct actor_ctx *ctx, int r, bool may_say_ambiguous)
{
    if (r == RECORD_AMBIGUOUS && may_say_ambiguous) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "ambiguous approval id prefix; use the full id");
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "reason", "APPROVAL_NOT_FOUND");
    pack_kv_text(&self->scratch, "remediation",
                 "Ask again: a request is gone when it was decided or its time is over.");
    pack_map_end(&self->scratch);
    return actor_fail_with(ctx, &(struct failure){ .code = FAIL_INVALID_REQUEST,
                                                   .message = SPAN_LIT("unknown or expired approval id"),
                                                   .details = pack_span(&self->scratch) });
}

/* --- decisions ------------------------------------------------------------------------------------------------ */

static const char *const decisions[] = { "allow-once", "allow-always", "deny" };

static bool is_listed(struct span list, const char *decision)
{
    struct value_iter iter = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&iter, &key, &item)) {
        if (span_is_text(value_str(item, (struct span){ 0 }), decision)) {
            return true;
        }
    }
    return false;
}

/* Where the policy wants to be asked every time, there is no "always". */
static bool is_allowed(struct span request, const char *decision)
{
    struct span explicit = value_get(request, "allowedDecisions");

    if (value_count(explicit)) {
        return is_listed(explicit, decision);
    }
    return strcmp(decision, "allow-always") != 0 || !span_is(map_text(request, "ask"), SPAN_LIT("always"));
}

bool asking_allows(struct span request, struct span decision)
{
    for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
        if (span_is_text(decision, decisions[i])) {
            return is_allowed(request, decisions[i]);
        }
    }
    return false;
}

void asking_allowed(struct span request, struct pack *out)
{
    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
        if (is_allowed(request, decisions[i])) {
            pack_text(out, decisions[i]);
        }
    }
    pack_array_end(out);
}

static bool is_decision(struct span decision)
{
    for (size_t i = 0; i < ARRAY_LEN(decisions); i++) {
        if (span_is_text(decision, decisions[i])) {
            return true;
        }
    }
    return false;
}

static int ok_reply(struct approval *self, struct actor_ctx *ctx)
{
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_bool(&self->pack, "ok", true);
    pack_map_end(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : actor_reply_span(ctx, pack_span(&self->pack));
}

static int refuse(struct approval *self, struct actor_ctx *ctx, const char *message)
{
    return actor_fail_with(ctx, &(struct failure){ .code = FAIL_INVALID_REQUEST,
                                                   .message = span_from(message),
                                                   .details = pack_span(&self->scratch) });
}

/* Decided before: saying the same once more is no error. */
static int resolve_again(struct approval *self, struct actor_ctx *ctx, const struct verdict *verdict, int r)
{
    struct record record;

    if (record_find(self, verdict->kind, verdict->id, true, &record) != RECORD_FOUND) {
        return asking_unknown(self, ctx, r, verdict->kind == KIND_EXEC);
    }
    if (span_is(record.decision, verdict->decision)) {
        return ok_reply(self, ctx);
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "reason", "APPROVAL_ALREADY_RESOLVED");
    pack_map_end(&self->scratch);
    return refuse(self, ctx, "approval already resolved");
}

int asking_not_allowed(struct approval *self, struct actor_ctx *ctx, const struct verdict *verdict,
                       const struct record *record)
{
    char text[128];

    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    if (verdict->kind == KIND_EXEC) {
        pack_kv_text(&self->scratch, "reason", "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE");
        pack_map_end(&self->scratch);
        return refuse(self, ctx,
                      "allow-always is unavailable because the effective policy requires approval every time");
    }
    pack_key(&self->scratch, "allowedDecisions");
    asking_allowed(record->request, &self->scratch);
    pack_map_end(&self->scratch);
    (void)snprintf(text, sizeof(text), "%.*s is unavailable for this plugin approval", SPAN_FMT(verdict->decision));
    return refuse(self, ctx, text);
}

static void resolved_pack(const struct record *record, struct span decision, struct span by, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "id", record->item->id);
    pack_kv_str(out, "decision", decision);
    pack_kv_or_nil(out, "resolvedBy", by);
    pack_kv_i64(out, "ts", clock_wall_ms());
    pack_kv_raw(out, "request", record->request);
    pack_map_end(out);
}

/* A disk that refuses it takes nothing from the decision: the next time people are asked again. */
static int grant_give(struct approval *self, const struct verdict *verdict, const char *id)
{
    const struct shelf_item *item = shelf_find(self->shelf, verdict->kind, span_from(id));
    struct record record;

    if (verdict->kind != KIND_EXEC || !span_is(verdict->decision, SPAN_LIT("allow-always")) || !item) {
        return 0;
    }
    record = record_read(item);
    int r = grants_mint(self, &record, verdict->days);
    return r < 0 ? r : 0;
}

int asking_decide(struct approval *self, struct actor_ctx *ctx, const struct verdict *verdict,
                  const struct record *record)
{
    const struct schema_msg *event =
        verdict->kind == KIND_EXEC ? EVENT_EXEC_APPROVAL_RESOLVED : EVENT_PLUGIN_APPROVAL_RESOLVED;
    const struct type_client *client = verdict->client;
    struct span by = client->has_display_name && client->display_name.len ? client->display_name : client->client_id;
    CLEANUP(mem_free) char *id = mem_text(record->item->id, strlen(record->item->id));
    int r;

    pack_reset(&self->scratch);
    resolved_pack(record, verdict->decision, by, &self->scratch);
    r = pack_error(&self->scratch);
    r = r ? r
          : record_close(self, verdict->kind, span_from(id),
                         &(struct closing){ .decision = verdict->decision, .by = by, .client = client });
    r = r ? r : actor_publish_span(self->actor, event, pack_span(&self->scratch), ctx);
    r = r ? r : grant_give(self, verdict, id);
    r = r ? r : record_tell(self, verdict->kind, span_from(id));
    return r ? r : records_review(self);
}

int asking_resolve(struct approval *self, struct actor_ctx *ctx, const struct verdict *verdict)
{
    struct record record;
    int r;

    if (!is_decision(verdict->decision)) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "invalid decision");
    }
    r = record_find(self, verdict->kind, verdict->id, false, &record);
    if (r != RECORD_FOUND) {
        return resolve_again(self, ctx, verdict, r);
    }
    if (!asking_allows(record.request, verdict->decision)) {
        return asking_not_allowed(self, ctx, verdict, &record);
    }
    r = asking_decide(self, ctx, verdict, &record);
    return r ? r : ok_reply(self, ctx);
}
