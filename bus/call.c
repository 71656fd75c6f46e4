/*
 * call: what this actor has asked and not yet been answered. Every call ends exactly
 * once: by reply, failure, the peer's death, its deadline, or cancellation.
 */
#include <stdio.h>

#include "bus/actor_internal.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/value.h"

#define CALL_CHUNK 32U

/* --- slots ---------------------------------------------------------------------------- */

static void chunk_add(struct actor *self)
{
    size_t chunks_n = self->call_chunks_n + 1U;
    struct call_slot **chunks = realloc(self->call_chunks, chunks_n * sizeof(*chunks));
    struct call_slot *chunk = mem_new(CALL_CHUNK * sizeof(*chunk));

    if (!chunks) {
        abort(); /* as mem_new would */
    }
    self->call_chunks = chunks;
    self->call_chunks[self->call_chunks_n] = chunk;
    for (uint32_t i = CALL_CHUNK; i > 0; i--) {
        struct call_slot *slot = &chunk[i - 1];

        slot->id = self->call_chunks_n * CALL_CHUNK + i - 1; /* index; generation 0 means free */
        slot->next = self->call_free;
        self->call_free = slot;
    }
    self->call_chunks_n++;
}

static struct call_slot *slot_take(struct actor *self)
{
    if (!self->call_free) {
        chunk_add(self);
    }
    struct call_slot *slot = self->call_free;
    uint32_t index = (uint32_t)slot->id;

    self->call_free = slot->next;
    *slot = (struct call_slot){ 0 };
    if (++self->call_generation == 0) {
        self->call_generation = 1;
    }
    slot->id = (uint64_t)self->call_generation << 32 | index;
    self->calls_open++;
    atomic_store_explicit(&self->opts.stats->calls_open, self->calls_open, memory_order_relaxed);
    return slot;
}

static struct call_slot *slot_find(struct actor *self, uint64_t id)
{
    uint32_t index = (uint32_t)id;

    if (id >> 32 == 0 || index / CALL_CHUNK >= self->call_chunks_n) {
        return NULL;
    }
    struct call_slot *slot = &self->call_chunks[index / CALL_CHUNK][index % CALL_CHUNK];
    return slot->id == id ? slot : NULL;
}

bool call_is_open(struct actor *self, uint64_t id)
{
    struct call_slot *slot = slot_find(self, id);

    return slot && !slot->ended_code;
}

static void target_add(struct call_slot *slot, struct link *target)
{
    slot->target = target;
    slot->prev = NULL;
    slot->next = target->calls;
    if (slot->next) {
        slot->next->prev = slot;
    }
    target->calls = slot;
}

static void target_remove(struct call_slot *slot)
{
    if (!slot->target) {
        return;
    }
    if (slot->prev) {
        slot->prev->next = slot->next;
    } else {
        slot->target->calls = slot->next;
    }
    if (slot->next) {
        slot->next->prev = slot->prev;
    }
    slot->target = NULL;
    slot->prev = NULL;
    slot->next = NULL;
}

static void slot_release(struct actor *self, struct call_slot *slot)
{
    target_remove(slot);
    wheel_remove(&self->wheel, &slot->due);
    slot->id = (uint32_t)slot->id;
    slot->next = self->call_free;
    self->call_free = slot;
    self->calls_open--;
    atomic_store_explicit(&self->opts.stats->calls_open, self->calls_open, memory_order_relaxed);
}

/* --- asking ---------------------------------------------------------------------------- */

static uint32_t deadline_of(const struct actor_call *call)
{
    uint32_t left_ms = call->cause ? actor_ctx_left_ms(call->cause) : UINT32_MAX;

    if (call->deadline_ms == 0) {
        return left_ms != UINT32_MAX ? left_ms : ACTOR_DEADLINE_DEFAULT_MS;
    }
    return call->deadline_ms;
}

static void deadline_set(struct actor *self, struct call_slot *slot, uint32_t left_ms)
{
    if (left_ms != UINT32_MAX) {
        uint64_t due_ms = uv_now(self->loop) + left_ms;

        wheel_add(&self->wheel, &slot->due, due_ms);
        actor_timer_at(self, due_ms + WHEEL_TICK_MS);
    }
}

static struct envelope envelope_of(struct actor *self, const struct actor_call *call, uint64_t id, uint32_t left_ms)
{
    struct trace_id trace = call->cause ? actor_ctx_trace(call->cause) : call->trace;

    if (!trace.hi && !trace.lo) {
        trace = actor_trace_new(self);
    }
    return (struct envelope){ .kind = ENVELOPE_CALL,
                              .corr = id,
                              .from = span_from(self->address),
                              .name = { call->msg->name, call->msg->name_len },
                              .left_ms = left_ms,
                              .trace = trace,
                              .flags = call->window_bytes,
                              .principal = call->cause ? actor_ctx_principal(call->cause) : call->principal };
}

int actor_call(struct actor *self, const struct actor_call *call, uint64_t *ret_id)
{
    zmq_msg_t body;
    int r = message_make(self, call->msg, call->in, call->body, &body);

    if (r < 0) {
        return r;
    }
    uint32_t left_ms = deadline_of(call);
    struct call_slot *slot = slot_take(self);
    slot->msg = call->msg;
    slot->on_answer = call->on_answer;
    slot->on_chunk = call->on_chunk;
    slot->cookie = call->cookie;
    struct link *link = link_get(self, span_from(call->to));
    target_add(slot, link);
    deadline_set(self, slot, left_ms);
    if (ret_id) {
        *ret_id = slot->id;
    }
    struct envelope env = envelope_of(self, call, slot->id, left_ms);
    r = link_send(self, link, &env, &body);
    if (r < 0) {
        slot_release(self, slot);
    }
    return r;
}

/*
 * A cancel that runs ahead of the call it is for finds nothing to end. Whoever handed the call on sends it behind the
 * call, on the same link, so it goes that way too.
 */
static void cancel_send_via(struct actor *self, struct link *via, uint64_t corr, struct span name, struct span to)
{
    struct envelope env = {
        .kind = ENVELOPE_CANCEL, .corr = corr, .from = span_from(self->address), .name = name, .left_ms = UINT32_MAX
    };
    zmq_msg_t body;

    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_str(&self->scratch, "to", to);
    pack_map_end(&self->scratch);
    if (!pack_error(&self->scratch) && frame_copy(pack_span(&self->scratch), &body) == 0) {
        (void)link_send(self, via, &env, &body); /* memory: the peer's own deadline ends its work */
    }
}

/* Tells the one who works for us that `corr` is void, or gives it credit. */
static void slot_tell(struct actor *self, struct call_slot *slot, enum envelope_kind kind, uint32_t amount)
{
    struct envelope env = { .kind = kind,
                            .corr = slot->id,
                            .from = span_from(self->address),
                            .name = { slot->msg->name, slot->msg->name_len },
                            .left_ms = UINT32_MAX };
    zmq_msg_t body;

    pack_reset(&self->scratch);
    pack_u64(&self->scratch, amount);
    if (slot->target && frame_copy(pack_span(&self->scratch), &body) == 0) {
        (void)link_send(self, slot->target, &env, &body); /* memory: the peer's own deadline ends its work */
    }
    if (kind == ENVELOPE_CANCEL && slot->target && slot->via) {
        cancel_send_via(self, slot->via, slot->id, env.name, span_from(slot->target->address));
    }
}

static void give_up(struct actor *self, uint64_t id, int code, const char *text)
{
    struct call_slot *slot = slot_find(self, id);

    if (slot && !slot->ended_code) {
        slot_tell(self, slot, ENVELOPE_CANCEL, 0);
        call_fail_later(self, id, code, 0, text);
    }
}

void actor_call_cancel(struct actor *self, uint64_t id)
{
    give_up(self, id, FAIL_CANCELLED, "cancelled by the asker");
}

void actor_call_give_up(struct actor *self, uint64_t id, const char *text)
{
    give_up(self, id, FAIL_UNAVAILABLE, text);
}

void actor_call_grant(struct actor *self, uint64_t id, uint32_t bytes)
{
    struct call_slot *slot = slot_find(self, id);

    if (slot && !slot->ended_code) {
        slot_tell(self, slot, ENVELOPE_GRANT, bytes);
    }
}

/* --- ending ----------------------------------------------------------------------------- */

void call_fail_later(struct actor *self, uint64_t id, int code, uint32_t retry_after_ms, const char *text)
{
    struct call_slot *slot = slot_find(self, id);

    if (!slot || slot->ended_code) {
        return;
    }
    slot->ended_code = code;
    slot->ended_retry_ms = retry_after_ms;
    if (code == FAIL_UNAVAILABLE && slot->target) {
        link_explain(self, slot->target, text, slot->ended_text, sizeof(slot->ended_text));
    } else {
        (void)snprintf(slot->ended_text, sizeof(slot->ended_text), "%s", text);
    }
    target_remove(slot);
    wheel_remove(&self->wheel, &slot->due);
    *self->ended_tail = slot;
    self->ended_tail = &slot->ended_next;
    actor_wake(self);
}

/* Releases the slot first: the callback may make new calls. */
static void slot_end(struct actor *self, struct call_slot *slot, const struct actor_answer *answer)
{
    actor_on_answer on_answer = slot->on_answer;
    void *cookie = slot->cookie;

    slot_release(self, slot);
    on_answer(self->state, self, cookie, answer);
}

bool call_run_ended(struct actor *self)
{
    struct call_slot *slot = self->ended;

    if (!slot) {
        return false;
    }
    self->ended = NULL;
    self->ended_tail = &self->ended;
    while (slot && !self->is_stopping) {
        struct call_slot *next = slot->ended_next;
        char text[sizeof(slot->ended_text)];
        memcpy(text, slot->ended_text, sizeof(text));
        struct failure failure = { .code = slot->ended_code,
                                   .message = span_from(text),
                                   .retryable = slot->ended_code == FAIL_UNAVAILABLE,
                                   .retry_after_ms = slot->ended_retry_ms };

        slot_end(self, slot, &(struct actor_answer){ .failure = &failure });
        slot = next;
    }
    return true;
}

void call_run_due(struct actor *self)
{
    uint64_t now_ms = uv_now(self->loop);

    for (struct wheel_entry *due = wheel_take_due(&self->wheel, now_ms); due;
         due = wheel_take_due(&self->wheel, now_ms)) {
        struct call_slot *slot = CONTAINER_OF(due, struct call_slot, due);

        slot_tell(self, slot, ENVELOPE_CANCEL, 0);
        call_fail_later(self, slot->id, FAIL_TIMEOUT, 0, "no answer within the deadline");
    }
}

void call_on_link_down(struct actor *self, struct link *link)
{
    while (link->calls) { /* call_fail_later takes it off the list */
        call_fail_later(self, link->calls->id, FAIL_UNAVAILABLE, link->retry_after_ms ? link->retry_after_ms : 250,
                        "went down before it answered");
    }
}

void call_on_link_silent(struct actor *self, struct link *link)
{
    while (link->calls) { /* call_fail_later takes it off the list */
        struct call_slot *slot = link->calls;

        slot_tell(self, slot, ENVELOPE_CANCEL, 0);
        call_fail_later(self, slot->id, FAIL_UNAVAILABLE, link->retry_after_ms ? link->retry_after_ms : 250,
                        "does not respond");
    }
}

static void slot_on_link_life(struct actor *self, const struct call_slot *slot, const struct link *link)
{
    if (slot->target_incarnation && slot->target_incarnation != link->incarnation) {
        call_fail_later(self, slot->id, FAIL_UNAVAILABLE, 0, "went down before it answered");
    }
}

void call_on_link_life(struct actor *self, struct link *link)
{
    struct call_slot *next = NULL;

    for (struct call_slot *slot = link->calls; slot; slot = next) {
        next = slot->next;
        slot_on_link_life(self, slot, link);
    }
}

/* --- answers arriving ------------------------------------------------------------------------ */

static void on_reply(struct actor *self, struct call_slot *slot, struct mail *mail)
{
    struct span body = body_span(&mail->body);
    struct actor_answer answer = { .body = body, .body_shared = &mail->body, .from = mail->env.from };
    char why[160];
    struct failure failure = { .code = FAIL_INTERNAL, .message = { why, 0 } };
    const struct schema_msg *reply = slot->msg->reply;

    if (reply && reply->type) {
        if (message_decode(&self->answer_buf, &self->answer_cap, reply, body, why, sizeof(why)) != 0) {
            failure.message = span_from(why);
            answer.failure = &failure;
        } else {
            answer.msg = self->answer_buf;
        }
    } else if (!wire_check(body.ptr, body.len, PACK_DEPTH_MAX)) {
        failure.message = SPAN_LIT("the answer is not well-formed msgpack");
        answer.failure = &failure;
    }
    slot_end(self, slot, &answer);
}

static void on_fail(struct actor *self, struct call_slot *slot, struct mail *mail)
{
    struct span body = body_span(&mail->body);
    struct failure failure = { .code = FAIL_INTERNAL, .message = SPAN_LIT("the failure is not well-formed") };

    if (wire_check(body.ptr, body.len, PACK_DEPTH_MAX)) {
        int64_t code = value_i64(value_get(body, "code"), FAIL_INTERNAL);
        int64_t retry_ms = value_i64(value_get(body, "retryAfterMs"), 0);

        failure.code = code > 0 && code <= UINT16_MAX ? (int)code : FAIL_INTERNAL;
        failure.message = value_str(value_get(body, "message"), (struct span){ "", 0 });
        failure.retryable = value_bool(value_get(body, "retryable"), false);
        failure.retry_after_ms = retry_ms > 0 && retry_ms <= UINT32_MAX ? (uint32_t)retry_ms : 0;
        failure.details = value_get(body, "details");
    }
    slot_end(self, slot, &(struct actor_answer){ .failure = &failure, .from = mail->env.from });
}

/* The first chunk may be here before the word that the call was handed on: credit belongs to its sender. */
static void sender_note(struct actor *self, struct call_slot *slot, struct span from)
{
    struct link *target = slot->target;

    if (target && !span_is((struct span){ target->address, target->len }, from)) {
        slot->via = target;
        target_remove(slot);
        target_add(slot, link_get(self, from));
    }
}

static void on_chunk(struct actor *self, struct call_slot *slot, struct mail *mail)
{
    struct span body = body_span(&mail->body);
    const struct schema_msg *schema = schema_find(self->opts.registry, mail->env.name);
    char why[160];
    const void *msg = NULL;

    if (!slot->on_chunk) {
        return;
    }
    sender_note(self, slot, mail->env.from);
    if (schema && schema->type) {
        if (message_decode(&self->answer_buf, &self->answer_cap, schema, body, why, sizeof(why)) != 0) {
            dead_letter_report(self, &mail->env, body.len, why, true);
            return;
        }
        msg = self->answer_buf;
    } else if (!wire_check(body.ptr, body.len, PACK_DEPTH_MAX)) {
        dead_letter_report(self, &mail->env, body.len, "chunk is not well-formed msgpack", true);
        return;
    }
    slot->on_chunk(self->state, self, slot->cookie, schema, msg, body);
}

/* The receiver handed our call on: from now on another peer's death ends it. */
static void on_forwarded(struct actor *self, struct call_slot *slot, struct mail *mail)
{
    struct span body = body_span(&mail->body);

    if (!wire_check(body.ptr, body.len, 2)) {
        return;
    }
    struct span to = value_str(value_get(body, "to"), (struct span){ 0 });
    if (to.len == 0 || to.len >= ACTOR_ADDRESS_MAX) {
        return;
    }
    slot->target_incarnation = (uint32_t)value_i64(value_get(body, "incarnation"), 0);
    slot->via = link_get(self, mail->env.from);
    struct link *link = link_get(self, to);
    target_remove(slot);
    target_add(slot, link);
    if (link->state == LINK_UNKNOWN) { /* so that the directory tells us when it dies */
        link->state = LINK_RESOLVING;
        link->credit_bytes = LINK_WINDOW_BYTES;
        link->credit_msgs = LINK_WINDOW_MSGS;
        self->opts.resolve(self, link);
    } else if (link->state == LINK_DOWN) {
        call_fail_later(self, slot->id, FAIL_UNAVAILABLE, link->retry_after_ms, "went down before it answered");
    } else if (link_is_silent(link)) {
        call_on_link_silent(self, link);
    } else if (link->state == LINK_UP) { /* while it is being resolved its incarnation is not known */
        slot_on_link_life(self, slot, link);
    }
}

/* A call that we gave up was handed on before the one we asked first had heard of it. */
static void on_forwarded_late(struct actor *self, struct mail *mail)
{
    struct span body = body_span(&mail->body);
    struct span to =
        wire_check(body.ptr, body.len, 2) ? value_str(value_get(body, "to"), (struct span){ 0 }) : (struct span){ 0 };

    if (to.len && to.len < ACTOR_ADDRESS_MAX) {
        cancel_send_via(self, link_get(self, mail->env.from), mail->env.corr, mail->env.name, to);
    }
}

void call_on_envelope(struct actor *self, struct mail *mail)
{
    struct call_slot *slot = slot_find(self, mail->env.corr);

    if (!slot || slot->ended_code) { /* it has ended already; that is what deadlines and cancels do */
        if (mail->env.kind == ENVELOPE_FORWARDED) {
            on_forwarded_late(self, mail);
        }
        return;
    }
    switch (mail->env.kind) {
    case ENVELOPE_REPLY:
        on_reply(self, slot, mail);
        break;
    case ENVELOPE_FAIL:
        on_fail(self, slot, mail);
        break;
    case ENVELOPE_CHUNK:
        on_chunk(self, slot, mail);
        break;
    case ENVELOPE_FORWARDED:
        on_forwarded(self, slot, mail);
        break;
    default:
        break;
    }
}

void call_free_all(struct actor *self)
{
    for (uint32_t i = 0; i < self->call_chunks_n; i++) {
        free(self->call_chunks[i]);
    }
    free(self->call_chunks);
    self->call_chunks = NULL;
    self->call_chunks_n = 0;
}
