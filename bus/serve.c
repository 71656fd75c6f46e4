/*
 * serve: what this actor was asked: answering at once, later, in pieces, or handing on.
 */
#include <stdarg.h>
#include <stdio.h>

#include "bus/actor_internal.h"
#include "bus/base/mem.h"
#include "bus/value.h"

/* --- answering the message in hand --------------------------------------------------------- */

int serve_answer(struct actor *self, const struct mail *mail, enum envelope_kind kind, zmq_msg_t *body)
{
    struct envelope env = { .kind = kind,
                            .corr = mail->env.corr,
                            .from = span_from(self->address),
                            .name = mail->env.name,
                            .left_ms = UINT32_MAX,
                            .trace = mail->env.trace };

    return link_send(self, link_get(self, mail->env.from), &env, body);
}

static int failure_frame(struct actor *self, const struct failure *failure, zmq_msg_t *ret_frame)
{
    struct pack *pack = &self->scratch;

    pack_reset(pack);
    pack_map_begin(pack);
    pack_kv_i64(pack, "code", failure->code);
    pack_kv_str(pack, "message", failure->message);
    pack_kv_bool(pack, "retryable", failure->retryable);
    if (failure->retry_after_ms) {
        pack_kv_u64(pack, "retryAfterMs", failure->retry_after_ms);
    }
    if (failure->details.len) {
        pack_kv_raw(pack, "details", failure->details);
    }
    pack_map_end(pack);
    int r = pack_error(pack);
    return r < 0 ? r : frame_copy(pack_span(pack), ret_frame);
}

int serve_fail(struct actor *self, const struct mail *mail, const struct failure *failure)
{
    zmq_msg_t body;
    int r = failure_frame(self, failure, &body);

    return r < 0 ? r : serve_answer(self, mail, ENVELOPE_FAIL, &body);
}

void serve_fail_forwarded(struct actor *self, const struct envelope *env, const struct failure *failure)
{
    struct envelope answer = { .kind = ENVELOPE_FAIL,
                               .corr = env->corr,
                               .from = span_from(self->address),
                               .name = env->name,
                               .left_ms = UINT32_MAX,
                               .trace = env->trace };
    zmq_msg_t body;

    if (failure_frame(self, failure, &body) == 0) {
        (void)link_send(self, link_get(self, env->from), &answer, &body); /* memory: the deadline ends it */
    }
}

static bool must_answer(struct actor_ctx *ctx)
{
    bool must = ctx->mail->env.kind == ENVELOPE_CALL && !ctx->is_answered;

    ctx->is_answered = true;
    return must;
}

int actor_reply(struct actor_ctx *ctx, const struct schema_msg *msg, const void *out)
{
    zmq_msg_t body;

    if (!must_answer(ctx)) {
        return 0;
    }
    int r = message_make(ctx->actor, msg, out, (struct span){ 0 }, &body);
    return r < 0 ? r : serve_answer(ctx->actor, ctx->mail, ENVELOPE_REPLY, &body);
}

int actor_reply_span(struct actor_ctx *ctx, struct span bytes)
{
    zmq_msg_t body;

    if (!must_answer(ctx)) {
        return 0;
    }
    int r = message_frame(bytes, schema_reply_is_secret(ctx->msg), &body);
    return r < 0 ? r : serve_answer(ctx->actor, ctx->mail, ENVELOPE_REPLY, &body);
}

int actor_reply_body(struct actor_ctx *ctx, const struct body *body)
{
    struct body shared;

    if (!must_answer(ctx)) {
        return 0;
    }
    int r = body_init_share(&shared, body);
    return r < 0 ? r : serve_answer(ctx->actor, ctx->mail, ENVELOPE_REPLY, &shared.msg);
}

int actor_fail(struct actor_ctx *ctx, int code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(ctx->failure_text, sizeof(ctx->failure_text), fmt, args); /* cut texts are fine */
    va_end(args);
    ctx->has_failure = true;
    ctx->failure = (struct failure){ .code = code,
                                     .message = span_from(ctx->failure_text),
                                     .retryable = code == FAIL_UNAVAILABLE };
    return code;
}

int actor_fail_with(struct actor_ctx *ctx, const struct failure *failure)
{
    size_t len =
        failure->message.len < sizeof(ctx->failure_text) ? failure->message.len : sizeof(ctx->failure_text) - 1;

    memcpy(ctx->failure_text, failure->message.ptr ? failure->message.ptr : "", len);
    ctx->failure_text[len] = '\0';
    ctx->has_failure = true;
    ctx->failure = *failure;
    ctx->failure.message = (struct span){ ctx->failure_text, len };
    if (failure->details.len) {
        pack_reset(&ctx->details);
        pack_raw(&ctx->details, failure->details);
        ctx->failure.details = pack_span(&ctx->details);
    }
    return failure->code;
}

/* --- handing on --------------------------------------------------------------------------------- */

/* Tells the asker who will answer, so that the right death ends its call. */
static int forwarded_tell(struct actor_ctx *ctx, const struct link *to)
{
    struct actor *self = ctx->actor;
    zmq_msg_t body;

    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "to", to->address);
    pack_kv_u64(&self->scratch, "incarnation", to->state == LINK_UP ? to->incarnation : 0);
    pack_map_end(&self->scratch);
    int r = frame_copy(pack_span(&self->scratch), &body);
    return r < 0 ? r : serve_answer(self, ctx->mail, ENVELOPE_FORWARDED, &body);
}

static int forward_frame(struct actor_ctx *ctx, const char *to, struct span name, zmq_msg_t *body)
{
    struct actor *self = ctx->actor;
    struct envelope env = ctx->mail->env;
    struct link *link = link_get(self, span_from(to));

    ctx->is_answered = true;
    if (env.kind == ENVELOPE_CALL) {
        int r = forwarded_tell(ctx, link);
        if (r < 0) {
            frame_close(body);
            return r;
        }
    }
    env.name = name;
    env.left_ms = actor_ctx_left_ms(ctx);
    env.asker = envelope_asker(&ctx->mail->env);
    env.via = span_from(self->address);
    return link_send(self, link, &env, body);
}

int actor_forward(struct actor_ctx *ctx, const char *to, const struct schema_msg *msg, const void *out)
{
    if (!msg) {
        struct body shared;
        int r = body_init_share(&shared, &ctx->mail->body);

        return r < 0 ? r : forward_frame(ctx, to, ctx->mail->env.name, &shared.msg);
    }
    zmq_msg_t body;
    int r = message_make(ctx->actor, msg, out, (struct span){ 0 }, &body);
    return r < 0 ? r : forward_frame(ctx, to, (struct span){ msg->name, msg->name_len }, &body);
}

/* --- answering later ---------------------------------------------------------------------------- */

static struct serve_slot *slot_take(struct actor *self)
{
    if (!self->serve_free) {
        size_t slots_n = self->serve_slots_n + 1U;
        struct serve_slot **slots = realloc(self->serve_slots, slots_n * sizeof(*slots));

        if (!slots) {
            abort(); /* as mem_new would */
        }
        self->serve_slots = slots;
        self->serve_slots[self->serve_slots_n] = mem_new(sizeof(struct serve_slot));
        self->serve_slots[self->serve_slots_n]->index = self->serve_slots_n;
        self->serve_free = self->serve_slots[self->serve_slots_n++];
    }
    struct serve_slot *slot = self->serve_free;
    uint32_t index = slot->index;

    self->serve_free = slot->next;
    *slot = (struct serve_slot){ .index = index };
    if (++self->serve_generation == 0) {
        self->serve_generation = 1;
    }
    slot->id = (uint64_t)self->serve_generation << 32 | index;
    return slot;
}

static struct serve_slot *slot_find(struct actor *self, uint64_t id)
{
    uint32_t index = (uint32_t)id;

    return id && index < self->serve_slots_n && self->serve_slots[index]->id == id ? self->serve_slots[index] : NULL;
}

static void slot_release(struct actor *self, struct serve_slot *slot)
{
    struct serve_slot **at = &self->serve_buckets[slot->corr % SERVE_BUCKETS];

    while (*at != slot) {
        at = &(*at)->bucket_next;
    }
    *at = slot->bucket_next;
    if (slot->prev) {
        slot->prev->next = slot->next;
    } else {
        slot->asker->serves = slot->next;
    }
    if (slot->next) {
        slot->next->prev = slot->prev;
    }
    slot->id = 0;
    slot->next = self->serve_free;
    self->serve_free = slot;
}

/* Resolving the asker now makes the directory tell us when it dies. */
static void asker_watch(struct actor *self, struct link *asker)
{
    if (asker->state == LINK_UNKNOWN) {
        asker->state = LINK_RESOLVING;
        asker->credit_bytes = LINK_WINDOW_BYTES;
        asker->credit_msgs = LINK_WINDOW_MSGS;
        self->opts.resolve(self, asker);
    }
}

struct actor_token actor_defer(struct actor_ctx *ctx, void *cookie)
{
    struct actor *self = ctx->actor;
    const struct envelope *env = &ctx->mail->env;

    if (!must_answer(ctx)) {
        return (struct actor_token){ 0 };
    }
    struct serve_slot *slot = slot_take(self);
    slot->corr = env->corr;
    slot->asker = link_get(self, env->from);
    slot->asker_incarnation = envelope_asker(env);
    slot->trace = env->trace;
    slot->credit = env->flags;
    slot->is_stream = env->flags > 0;
    slot->msg = ctx->msg;
    slot->cookie = cookie;
    slot->next = slot->asker->serves;
    if (slot->next) {
        slot->next->prev = slot;
    }
    slot->asker->serves = slot;
    slot->bucket_next = self->serve_buckets[slot->corr % SERVE_BUCKETS];
    self->serve_buckets[slot->corr % SERVE_BUCKETS] = slot;
    asker_watch(self, slot->asker);
    return (struct actor_token){ slot->id };
}

/* Sends on an open slot; takes the body. */
static int slot_send(struct actor *self, struct serve_slot *slot, enum envelope_kind kind, struct span name,
                     zmq_msg_t *body)
{
    struct envelope env = { .kind = kind,
                            .corr = slot->corr,
                            .from = span_from(self->address),
                            .name = name,
                            .left_ms = UINT32_MAX,
                            .trace = slot->trace };

    return link_send(self, slot->asker, &env, body);
}

static int slot_finish(struct actor *self, struct serve_slot *slot, enum envelope_kind kind, zmq_msg_t *body)
{
    int r = slot_send(self, slot, kind, (struct span){ slot->msg->name, slot->msg->name_len }, body);

    slot_release(self, slot);
    return r;
}

int actor_token_reply(struct actor *self, struct actor_token token, const struct schema_msg *msg, const void *out)
{
    struct serve_slot *slot = slot_find(self, token.id);
    zmq_msg_t body;

    if (!slot) {
        return 0;
    }
    int r = message_make(self, msg, out, (struct span){ 0 }, &body);
    return r < 0 ? r : slot_finish(self, slot, ENVELOPE_REPLY, &body);
}

int actor_token_reply_span(struct actor *self, struct actor_token token, struct span bytes)
{
    struct serve_slot *slot = slot_find(self, token.id);
    zmq_msg_t body;

    if (!slot) {
        return 0;
    }
    int r = message_frame(bytes, schema_reply_is_secret(slot->msg), &body);
    return r < 0 ? r : slot_finish(self, slot, ENVELOPE_REPLY, &body);
}

int actor_token_fail(struct actor *self, struct actor_token token, const struct failure *failure)
{
    struct serve_slot *slot = slot_find(self, token.id);
    zmq_msg_t body;

    if (!slot) {
        return 0;
    }
    int r = failure_frame(self, failure, &body);
    return r < 0 ? r : slot_finish(self, slot, ENVELOPE_FAIL, &body);
}

int actor_token_fail_text(struct actor *self, struct actor_token token, int code, const char *fmt, ...)
{
    char text[FAILURE_MESSAGE_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* cut texts are fine */
    va_end(args);
    struct failure failure = { .code = code, .message = span_from(text), .retryable = code == FAIL_UNAVAILABLE };
    return actor_token_fail(self, token, &failure);
}

int actor_stream_send(struct actor *self, struct actor_token token, const struct schema_msg *msg, const void *out)
{
    struct serve_slot *slot = slot_find(self, token.id);
    zmq_msg_t body;

    if (!slot || !slot->is_stream) {
        return ACTOR_E_CLOSED;
    }
    if (slot->credit <= 0) {
        slot->is_credit_wanted = true;
        return ACTOR_E_NO_CREDIT;
    }
    int r = message_make(self, msg, out, (struct span){ 0 }, &body);
    if (r < 0) {
        return r;
    }
    slot->credit -= (int64_t)zmq_msg_size(&body);
    return slot_send(self, slot, ENVELOPE_CHUNK, (struct span){ msg->name, msg->name_len }, &body);
}

int64_t actor_stream_credit(struct actor *self, struct actor_token token)
{
    struct serve_slot *slot = slot_find(self, token.id);

    return slot && slot->is_stream ? slot->credit : 0;
}

/* --- the asker's words and its end ------------------------------------------------------------------ */

static struct serve_slot *slot_of(struct actor *self, const struct envelope *env)
{
    struct serve_slot *slot = self->serve_buckets[env->corr % SERVE_BUCKETS];

    while (slot &&
           !(slot->corr == env->corr && span_is((struct span){ slot->asker->address, slot->asker->len }, env->from))) {
        slot = slot->bucket_next;
    }
    return slot;
}

/* Void first, so that the actor's own answer in on_cancel does nothing. */
static void slot_cancel(struct actor *self, struct serve_slot *slot)
{
    void *cookie = slot->cookie;

    slot_release(self, slot);
    if (self->def->on_cancel) {
        self->def->on_cancel(self->state, self, cookie);
    }
}

static void slot_grant(struct actor *self, struct serve_slot *slot, struct span body)
{
    int64_t bytes = wire_check(body.ptr, body.len, 1) ? value_i64(body, 0) : 0;

    if (bytes > 0 && bytes <= UINT32_MAX && slot->credit < INT32_MAX) {
        slot->credit += bytes;
    }
    if (slot->credit > 0 && slot->is_credit_wanted) {
        slot->is_credit_wanted = false;
        if (self->def->on_credit) {
            self->def->on_credit(self->state, self, slot->cookie);
        }
    }
}

/* Of a call that we handed on: it follows the call. */
static void cancel_forward(struct actor *self, struct mail *mail)
{
    struct span body = body_span(&mail->body);
    struct span to =
        wire_check(body.ptr, body.len, 2) ? value_str(value_get(body, "to"), (struct span){ 0 }) : (struct span){ 0 };
    struct envelope env = mail->env;
    zmq_msg_t none;

    if (!to.len || to.len >= ACTOR_ADDRESS_MAX) {
        return;
    }
    pack_reset(&self->scratch);
    pack_u64(&self->scratch, 0);
    env.asker = envelope_asker(&mail->env);
    env.via = span_from(self->address);
    if (frame_copy(pack_span(&self->scratch), &none) == 0) {
        (void)link_send(self, link_get(self, to), &env, &none); /* memory: the deadline ends the work */
    }
}

void serve_on_envelope(struct actor *self, struct mail *mail)
{
    struct serve_slot *slot = slot_of(self, &mail->env);

    if (!slot) { /* answered meanwhile, or handed on */
        if (mail->env.kind == ENVELOPE_CANCEL) {
            cancel_forward(self, mail);
        }
        return;
    }
    if (mail->env.kind == ENVELOPE_CANCEL) {
        slot_cancel(self, slot);
    } else {
        slot_grant(self, slot, body_span(&mail->body));
    }
}

void serve_on_link_down(struct actor *self, struct link *link)
{
    self->is_asker_gone = true;
    while (link->serves) {
        slot_cancel(self, link->serves);
    }
    self->is_asker_gone = false;
}

bool actor_asker_is_gone(const struct actor *self)
{
    return self->is_asker_gone;
}

void serve_on_link_life(struct actor *self, struct link *link)
{
    struct serve_slot *next = NULL;

    self->is_asker_gone = true;
    for (struct serve_slot *slot = link->serves; slot; slot = next) {
        next = slot->next;
        if (slot->asker_incarnation && slot->asker_incarnation != link->incarnation) {
            slot_cancel(self, slot);
        }
    }
    self->is_asker_gone = false;
}

void serve_fail_all(struct actor *self)
{
    struct failure failure = { .code = FAIL_UNAVAILABLE,
                               .message = SPAN_LIT("the receiver stopped before it answered"),
                               .retryable = true,
                               .retry_after_ms = 250 };

    for (uint32_t i = 0; i < self->serve_slots_n; i++) {
        if (self->serve_slots[i]->id) {
            (void)actor_token_fail(self, (struct actor_token){ self->serve_slots[i]->id }, &failure);
        }
    }
    for (uint32_t i = 0; i < self->serve_slots_n; i++) {
        free(self->serve_slots[i]);
    }
    free(self->serve_slots);
    self->serve_slots = NULL;
    self->serve_slots_n = 0;
}
