/*
 * link: the way to one peer: its socket, its credit, what goes and what may not.
 */
#include <assert.h>
#include <stdio.h>

#include "bus/actor_internal.h"
#include "bus/base/descriptors.h"
#include "bus/base/mem.h"
#include "bus/directory.h"
#include "bus/link_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

static uint32_t address_hash(struct span address)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < address.len; i++) {
        hash = (hash ^ (uint8_t)address.ptr[i]) * 16777619U;
    }
    return hash ^ hash >> 16;
}

struct link *link_find(struct actor *self, struct span address)
{
    struct link *link = self->links[address_hash(address) % ARRAY_LEN(self->links)];

    while (link && !span_is((struct span){ link->address, link->len }, address)) {
        link = link->hash_next;
    }
    return link;
}

struct link *link_get(struct actor *self, struct span address)
{
    struct link *link = link_find(self, address);

    if (link) {
        return link;
    }
    assert(address.len > 0 && address.len < ACTOR_ADDRESS_MAX);
    struct link **bucket = &self->links[address_hash(address) % ARRAY_LEN(self->links)];
    link = mem_new(sizeof(*link));
    memcpy(link->address, address.ptr, address.len);
    link->len = (uint8_t)address.len;
    park_init(&link->park);
    link->hash_next = *bucket;
    *bucket = link;
    return link;
}

void link_place(struct link *link, struct span host, struct span status)
{
    if (span_starts(status, DIRECTORY_LOST)) {
        (void)snprintf(link->where, sizeof(link->where), "%.*s", SPAN_FMT(status)); /* a cut text still says where */
    } else if (host.len) {
        (void)snprintf(link->where, sizeof(link->where), DIRECTORY_LOST "%.*s", SPAN_FMT(host));
    }
}

/* Who fails elsewhere is looked for there; of our own process that goes without saying. */
static bool is_elsewhere(const struct actor *self, const struct link *link)
{
    const char *own = self->node_address[0] ? self->node_address : self->address;
    struct span host = { link->where + sizeof(DIRECTORY_LOST) - 1, 0 };

    if (!link->where[0] || strncmp(link->address, "host/", 5) == 0) {
        return false; /* that is its name */
    }
    host.len = strcspn(host.ptr, ":");
    return !(strncmp(own, "host/", 5) == 0 && span_is_text(host, own + 5));
}

void link_explain(const struct actor *self, const struct link *link, const char *why, char *out, size_t cap)
{
    bool is_named = is_elsewhere(self, link);

    (void)snprintf(out, cap, "%s: %s%s%s%s", link->address, why, is_named ? " (" : "", is_named ? link->where : "",
                   is_named ? ")" : "");
}

static const char mailbox_closed[] = "receiver's mailbox is closed";

/* Is anything lost, when the receiver has ended? A caller is told, an answer has nobody left
 * who waits for it, and the bus's own words are about what has ended. */
static bool is_loss(const struct envelope *env)
{
    return env->kind == ENVELOPE_CAST && !span_starts(env->name, "bus.");
}

/* A message that has nowhere to go: whoever waits for it is told. An event for someone who
 * has ended is none: the subscription has ended too. */
void link_undeliverable(struct actor *self, const struct link *link, const struct envelope *env, size_t body_bytes,
                        const char *reason)
{
    uint32_t retry_after_ms = link->retry_after_ms ? link->retry_after_ms : 250;
    bool is_overload = link->state != LINK_DOWN && !link_is_silent(link) && reason != mailbox_closed;

    if (env->kind == ENVELOPE_CALL && env->via.len == 0) {
        call_fail_later(self, env->corr, FAIL_UNAVAILABLE, retry_after_ms, reason);
    } else if (env->kind == ENVELOPE_CALL) {
        char text[LINK_REASON_MAX];

        link_explain(self, link, reason, text, sizeof(text));
        struct failure failure = {
            .code = FAIL_UNAVAILABLE, .message = span_from(text), .retryable = true, .retry_after_ms = retry_after_ms
        };
        serve_fail_forwarded(self, env, &failure);
    } else if (env->kind == ENVELOPE_PUBLISH) {
        return;
    }
    dead_letter_report(self, env, body_bytes, reason, is_overload || is_loss(env));
}

static void corked_drop(struct link *link)
{
    if (link->has_corked) {
        link->has_corked = false;
        frame_close(&link->corked[0]);
        frame_close(&link->corked[1]);
    }
}

static void socket_close(struct link *link)
{
    corked_drop(link);
    if (link->push) {
        zsock_set_linger(link->push, 0);
        zsock_destroy(&link->push);
        link->push_raw = NULL;
    }
}

static int socket_open(struct link *link)
{
    if (descriptors_few(DESCRIPTORS_SOCKET)) {
        return FAULT(-EMFILE);
    }
    link->push = zsock_new(ZMQ_PUSH);
    if (!link->push) {
        return FAULT(-zmq_errno());
    }
    /* Bytes and messages are bounded by credit; a mark of ZeroMQ's would count messages only. */
    zsock_set_sndhwm(link->push, 0);
    zsock_set_linger(link->push, 1000);
    link->push_raw = zsock_resolve(link->push);
    if (zmq_connect(link->push_raw, link->endpoint) != 0) {
        int fault = FAULT(-zmq_errno());

        socket_close(link);
        return fault;
    }
    return 0;
}

/* Takes both frames, which go or neither: the second cannot fail once the first was accepted (zmq_msg_send(3)). With
 * `has_more` the receiver does not see them before those that follow. */
static void frames_send(struct actor *self, struct link *link, zmq_msg_t *header, zmq_msg_t *body, bool has_more)
{
    size_t body_bytes = zmq_msg_size(body);
    struct envelope env;

    if (frame_send(header, link->push_raw, true) && frame_send(body, link->push_raw, has_more)) {
        return;
    }
    if (envelope_decode((struct span){ zmq_msg_data(header), zmq_msg_size(header) }, &env)) {
        link_undeliverable(self, link, &env, body_bytes, mailbox_closed);
    }
    frame_close(header);
    frame_close(body);
}

/* The newest message waits: it is the one that ends what goes together. */
static void frames_cork(struct actor *self, struct link *link, zmq_msg_t *header, zmq_msg_t *body)
{
    if (link->has_corked) {
        frames_send(self, link, &link->corked[0], &link->corked[1], true);
    } else {
        link->has_corked = true;
        link->corked_next = self->corked;
        self->corked = link;
    }
    frame_take(&link->corked[0], header);
    frame_take(&link->corked[1], body);
}

void link_uncork(struct actor *self)
{
    struct link *next = NULL;

    for (struct link *link = self->corked; link; link = next) {
        next = link->corked_next;
        if (link->has_corked) { /* else that life has ended */
            link->has_corked = false;
            frames_send(self, link, &link->corked[0], &link->corked[1], false);
        }
    }
    self->corked = NULL;
}

static void counted_out(struct actor *self, struct link *link, size_t bytes)
{
    struct actor_stats *stats = self->opts.stats;

    link->credit_bytes -= (int64_t)bytes;
    link->credit_msgs--;
    link->sent_bytes += bytes;
    link->sent_msgs++;
    atomic_fetch_add_explicit(&stats->msgs_out, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stats->bytes_out, bytes, memory_order_relaxed);
}

static void tap_sent(struct actor *self, struct span header, zmq_msg_t *body, const struct envelope *env)
{
    struct span bytes = { zmq_msg_data(body), zmq_msg_size(body) };

    if (tap_port_see(&self->tap,
                     &(struct tap_sight){ .env = env, .header = header, .body = bytes, .body_bytes = bytes.len })) {
        actor_wake(self); /* the batch leaves at the end of this turn of the loop */
    }
}

void link_resolve(struct actor *self, struct link *link)
{
    if (link->state == LINK_UNKNOWN) {
        link->state = LINK_RESOLVING;
        link->credit_bytes = LINK_WINDOW_BYTES;
        link->credit_msgs = LINK_WINDOW_MSGS;
        self->opts.resolve(self, link);
    }
}

/* These free what waits, here or there, so they never wait themselves. */
static bool is_ahead(enum envelope_kind kind)
{
    return kind == ENVELOPE_CREDIT || kind == ENVELOPE_GRANT || kind == ENVELOPE_CANCEL;
}

/* NULL when it may go or wait, else why not. */
const char *link_obstacle(const struct link *link, const struct envelope *env)
{
    enum envelope_kind kind = env->kind;
    bool may_wait = envelope_is_lasting(env) && link_has_room(link);

    if (link->state == LINK_DOWN) {
        return link->life == ACTOR_LIFE_GAVE_UP  ? "receiver gave up after too many crashes"
               : link->life == ACTOR_LIFE_ABSENT ? "no such actor is running"
                                                 : "receiver is down";
    }
    if (kind == ENVELOPE_CALL && link_is_silent(link)) {
        return "does not respond";
    }
    if (kind == ENVELOPE_PUBLISH) {
        return NULL; /* finds room, or becomes a gap */
    }
    if (link->state == LINK_UP && link_is_credited(kind) && !link_has_credit(link) && !may_wait) {
        return "receiver is overloaded";
    }
    if (link->state == LINK_RESOLVING &&
        (link->park.msgs >= LINK_PARKED_MSGS || (link_is_credited(kind) && link->park.bytes >= LINK_PARKED_BYTES))) {
        return "receiver is not known yet and too much waits for it";
    }
    return NULL;
}

/* Messages keep their order, so an answer waits behind the events before it. */
bool link_is_to_wait(const struct link *link, const struct envelope *env)
{
    bool is_patient = env->kind == ENVELOPE_PUBLISH || envelope_is_lasting(env);

    return link->state == LINK_RESOLVING || (!is_ahead(env->kind) && link->park.head) ||
           (is_patient && !link_has_credit(link));
}

/* Takes both frames. */
void link_transmit(struct actor *self, struct link *link, zmq_msg_t *header, zmq_msg_t *body)
{
    counted_out(self, link, zmq_msg_size(header) + zmq_msg_size(body));
    if (self->is_corked && strncmp(link->endpoint, "inproc:", 7) == 0) {
        frames_cork(self, link, header, body);
    } else {
        frames_send(self, link, header, body, false);
    }
}

/* The header of a complete envelope, seen by whoever watches. Takes the body when it fails. */
int link_header_make(struct actor *self, const struct envelope *env, zmq_msg_t *body, zmq_msg_t *ret_header)
{
    uint8_t bytes[ENVELOPE_HEADER_MAX];
    struct span head = { (const char *)bytes, envelope_encode(env, bytes) };

    if (tap_is_watched()) {
        tap_sent(self, head, body, env);
    }
    int r = frame_copy(head, ret_header);
    if (r < 0) {
        frame_close(body);
    }
    return r;
}

/* Takes both frames. */
static void transmit_or_park(struct actor *self, struct link *link, const struct envelope *env, zmq_msg_t *header,
                             zmq_msg_t *body)
{
    if (link_is_to_wait(link, env)) {
        park_push(&link->park, env->kind, header, body);
    } else {
        link_transmit(self, link, header, body);
    }
}

void link_envelope_complete(struct actor *self, const struct link *link, struct envelope *env)
{
    env->id = ++self->next_id;
    env->to = (struct span){ link->address, link->len };
    env->incarnation = self->opts.incarnation;
}

/* Everything behind an event that has not left yet waits with it, as its receiver may be
 * one who hears that event. The node's own word is what it waits for; credit has no order. */
static bool is_to_hold(const struct actor *self, const struct link *link, enum envelope_kind kind)
{
    return self->outbox.head && !link->is_fixed && kind != ENVELOPE_CREDIT && kind != ENVELOPE_PUBLISH;
}

int link_send(struct actor *self, struct link *link, struct envelope *env, zmq_msg_t *body)
{
    zmq_msg_t header;

    if (self->is_unsettled && env->kind == ENVELOPE_CALL && !link->is_fixed) {
        topic_settle(self);
    }
    bool is_held = is_to_hold(self, link, env->kind);
    link_resolve(self, link);
    link_envelope_complete(self, link, env);
    const char *why = link_obstacle(link, env);
    if (!why && is_held && link_is_credited(env->kind) && outbox_is_full(&self->outbox)) {
        why = "the sender waits for the directory's word on its topics, and too much waits with it";
    }
    if (why) {
        size_t body_bytes = zmq_msg_size(body);

        frame_close(body);
        link_undeliverable(self, link, env, body_bytes, why);
        return 0;
    }
    int r = link_header_make(self, env, body, &header);
    if (r < 0) {
        return r;
    }
    if (is_held) {
        outbox_msg_push(&self->outbox, link, link_is_credited(env->kind), &header, body);
    } else {
        transmit_or_park(self, link, env, &header, body);
    }
    return 0;
}

void link_send_held(struct actor *self, struct link *link, zmq_msg_t *header, zmq_msg_t *body)
{
    struct envelope env;

    if (!envelope_decode((struct span){ zmq_msg_data(header), zmq_msg_size(header) }, &env) ||
        (env.kind == ENVELOPE_CALL && env.via.len == 0 && !call_is_open(self, env.corr))) {
        return; /* cancelled, or its receiver's life is over: whoever asked knows */
    }
    const char *why = link_obstacle(link, &env);
    if (why) {
        link_undeliverable(self, link, &env, zmq_msg_size(body), why);
    } else {
        transmit_or_park(self, link, &env, header, body);
    }
}

/* --- the peer's life ------------------------------------------------------------------------ */

void link_apply(struct actor *self, struct link *link, struct span endpoint, uint32_t incarnation, enum actor_life life,
                uint32_t retry_after_ms)
{
    bool is_same_life = link->state == LINK_UP && endpoint.len && link->incarnation == incarnation &&
                        span_is(endpoint, span_from(link->endpoint));

    if (link->state == LINK_RESOLVING && incarnation < link->least_incarnation) {
        return; /* its message has overtaken the news of its start, which go by way of the nodes */
    }
    link->life = life;
    link->retry_after_ms = retry_after_ms;
    if (is_same_life) {
        if (link_is_silent(link)) {
            call_on_link_silent(self, link);
        }
        return;
    }
    bool was_up = link->state == LINK_UP;
    socket_close(link);
    link->incarnation = incarnation;
    link->state = LINK_DOWN;
    if (was_up || endpoint.len == 0) { /* that life is over: whoever waits for it is told now */
        call_on_link_down(self, link);
        serve_on_link_down(self, link);
    }
    if (was_up) {
        link_park_release(self, link); /* it waited for credit of that life */
    }
    if (endpoint.len && endpoint.len < sizeof(link->endpoint)) {
        memcpy(link->endpoint, endpoint.ptr, endpoint.len);
        link->endpoint[endpoint.len] = '\0';
        link->credit_bytes = LINK_WINDOW_BYTES;
        link->credit_msgs = LINK_WINDOW_MSGS;
        if (socket_open(link) == 0) {
            link->state = LINK_UP;
        }
    }
    if (link->state == LINK_DOWN) {
        call_on_link_down(self, link);
    } else { /* first heard of in a later life than the one we deal with */
        call_on_link_life(self, link);
        serve_on_link_life(self, link);
    }
    link_park_release(self, link);
    if (link_is_silent(link)) {
        call_on_link_silent(self, link);
    }
}

void link_hear(struct actor *self, struct link *link, uint32_t incarnation)
{
    if (link->is_fixed || incarnation <= link->incarnation) {
        return;
    }
    if (link->state == LINK_UP || link->state == LINK_DOWN) {
        link_apply(self, link, (struct span){ "", 0 }, link->incarnation, ACTOR_LIFE_STARTING, 0);
        link->state = LINK_RESOLVING; /* the directory owes us the news of that life */
        link->credit_bytes = LINK_WINDOW_BYTES;
        link->credit_msgs = LINK_WINDOW_MSGS;
    }
    link->least_incarnation = incarnation;
}

static void credit_give(struct actor *self, struct link *link)
{
    struct envelope env = { .kind = ENVELOPE_CREDIT, .from = span_from(self->address), .left_ms = UINT32_MAX };
    zmq_msg_t body;

    pack_reset(&self->scratch);
    pack_array_begin(&self->scratch);
    pack_i64(&self->scratch, link->owed_bytes);
    pack_i64(&self->scratch, link->owed_msgs);
    pack_array_end(&self->scratch);
    if (frame_copy(pack_span(&self->scratch), &body) == 0) {
        link->owed_bytes = 0;
        link->owed_msgs = 0;
        (void)link_send(self, link, &env, &body); /* its only fault is memory; the next half window tries again */
    }
}

void link_account(struct actor *self, struct link *link, uint32_t incarnation, size_t bytes)
{
    if (link->held_incarnation == incarnation) {
        link->held_bytes -= (int64_t)bytes;
        link->held_msgs--;
    }
    if (link->heard_incarnation != incarnation) {
        link->heard_incarnation = incarnation;
        link->owed_bytes = 0;
        link->owed_msgs = 0;
    }
    link->owed_bytes += (int64_t)bytes;
    link->owed_msgs++;
    if (link->owed_bytes >= LINK_WINDOW_BYTES / 4 || link->owed_msgs >= LINK_WINDOW_MSGS / 4) {
        credit_give(self, link);
    }
}

void link_close_all(struct actor *self)
{
    for (size_t i = 0; i < ARRAY_LEN(self->links); i++) {
        while (self->links[i]) {
            struct link *link = self->links[i];

            self->links[i] = link->hash_next;
            park_deinit(&link->park);
            zsock_destroy(&link->push); /* lingers: last answers still go out */
            free(link);
        }
    }
}
