/*
 * link: the way to one peer: its socket, its credit, what waits for it.
 */
#include <assert.h>

#include "bus/actor_internal.h"
#include "bus/base/mem.h"
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
    link->parked_tail = &link->parked_head;
    link->hash_next = *bucket;
    *bucket = link;
    return link;
}

static void parked_free(struct parked *item)
{
    frame_close(&item->header);
    frame_close(&item->body);
    free(item);
}

static bool is_credited(enum envelope_kind kind)
{
    return kind == ENVELOPE_CALL || kind == ENVELOPE_CAST || kind == ENVELOPE_PUBLISH;
}

/* A message that has nowhere to go: whoever waits for it is told. */
static void undeliverable(struct actor *self, const struct envelope *env, size_t body_bytes, const char *reason,
                          uint32_t retry_after_ms)
{
    if (env->kind == ENVELOPE_CALL && env->via.len == 0) {
        call_fail_later(self, env->corr, FAIL_UNAVAILABLE, retry_after_ms, reason);
    } else if (env->kind == ENVELOPE_CALL) {
        struct failure failure = {
            .code = FAIL_UNAVAILABLE, .message = span_from(reason), .retryable = true, .retry_after_ms = retry_after_ms
        };
        serve_fail_forwarded(self, env, &failure);
    }
    actor_dead_letter(self, env, body_bytes, reason);
}

static void socket_close(struct link *link)
{
    if (link->push) {
        zsock_set_linger(link->push, 0);
        zsock_destroy(&link->push);
        link->push_raw = NULL;
    }
}

static int socket_open(struct link *link)
{
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

/* Both frames go or none: the second cannot fail once the first was accepted (zmq_msg_send(3)). */
static bool frames_send(struct link *link, zmq_msg_t *header, zmq_msg_t *body)
{
    return frame_send(header, link->push_raw, true) && frame_send(body, link->push_raw, false);
}

static void counted_out(struct actor *self, struct link *link, size_t bytes)
{
    struct actor_stats *stats = self->opts.stats;

    link->credit_bytes -= (int64_t)bytes;
    link->credit_msgs--;
    atomic_fetch_add_explicit(&stats->msgs_out, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stats->bytes_out, bytes, memory_order_relaxed);
}

/* The row that describes this very body: an answer carries its method's name. */
static const struct schema_msg *body_row(struct actor *self, const struct envelope *env)
{
    static const struct schema_msg free_form = { .name = "free-form" };
    const struct schema_msg *row = env->kind == ENVELOPE_PUBLISH ? schema_find_topic(self->opts.registry, env->name)
                                                                 : schema_find(self->opts.registry, env->name);

    if (env->kind == ENVELOPE_REPLY && row) {
        return row->reply ? row->reply : row->flags & SCHEMA_SENSITIVE ? NULL : &free_form;
    }
    return env->kind == ENVELOPE_FAIL ? &free_form : row;
}

static void tap_sent(struct actor *self, struct span header, zmq_msg_t *body, const struct envelope *env)
{
    struct span bytes = { zmq_msg_data(body), zmq_msg_size(body) };

    tap_port_record(&self->tap, self->host, self->address, header, bytes, body_row(self, env), NULL);
    actor_wake(self); /* the batch leaves at the end of this turn of the loop */
}

static void park(struct link *link, zmq_msg_t *header, zmq_msg_t *body)
{
    struct parked *item = mem_new(sizeof(*item));

    (void)zmq_msg_init(&item->header);
    (void)zmq_msg_init(&item->body);
    (void)zmq_msg_move(&item->header, header);
    (void)zmq_msg_move(&item->body, body);
    *link->parked_tail = item;
    link->parked_tail = &item->next;
    link->parked_n++;
}

static void resolve(struct actor *self, struct link *link)
{
    if (link->state == LINK_UNKNOWN) {
        link->state = LINK_RESOLVING;
        link->credit_bytes = LINK_WINDOW_BYTES;
        link->credit_msgs = LINK_WINDOW_MSGS;
        self->opts.resolve(self, link);
    }
}

/* NULL when it may go, else why not. */
static const char *obstacle(struct link *link, enum envelope_kind kind)
{
    if (link->state == LINK_DOWN) {
        return link->life == ACTOR_LIFE_GAVE_UP  ? "receiver gave up after too many crashes"
               : link->life == ACTOR_LIFE_ABSENT ? "no such actor is running"
                                                 : "receiver is down";
    }
    if (is_credited(kind) && (link->credit_bytes <= 0 || link->credit_msgs <= 0)) {
        return "receiver is overloaded";
    }
    if (link->state == LINK_RESOLVING && link->parked_n >= LINK_PARKED_MAX) {
        return "receiver is not known yet and too much waits for it";
    }
    return NULL;
}

int link_send(struct actor *self, struct link *link, struct envelope *env, zmq_msg_t *body)
{
    uint8_t bytes[ENVELOPE_HEADER_MAX];
    zmq_msg_t header;
    size_t body_bytes = zmq_msg_size(body);

    resolve(self, link);
    env->id = ++self->next_id;
    env->to = (struct span){ link->address, link->len };
    env->incarnation = self->opts.incarnation;
    const char *why = obstacle(link, env->kind);
    if (why) {
        frame_close(body);
        undeliverable(self, env, body_bytes, why, link->retry_after_ms ? link->retry_after_ms : 250);
        return 0;
    }
    size_t len = envelope_encode(env, bytes);
    if (tap_is_watched()) {
        tap_sent(self, (struct span){ (const char *)bytes, len }, body, env);
    }
    int r = frame_copy((struct span){ (const char *)bytes, len }, &header);
    if (r < 0) {
        frame_close(body);
        return r;
    }
    counted_out(self, link, len + body_bytes);
    if (link->state == LINK_RESOLVING) {
        park(link, &header, body);
        return 0;
    }
    if (!frames_send(link, &header, body)) {
        frame_close(&header);
        frame_close(body);
        undeliverable(self, env, body_bytes, "receiver's mailbox is closed", 250);
    }
    return 0;
}

/* What waited goes out, or is dealt with as undeliverable. */
static void parked_release(struct actor *self, struct link *link)
{
    struct parked *item = link->parked_head;

    link->parked_head = NULL;
    link->parked_tail = &link->parked_head;
    link->parked_n = 0;
    while (item) {
        struct parked *next = item->next;

        if (link->state != LINK_UP || !frames_send(link, &item->header, &item->body)) {
            struct envelope env;

            if (envelope_decode((struct span){ zmq_msg_data(&item->header), zmq_msg_size(&item->header) }, &env)) {
                undeliverable(self, &env, zmq_msg_size(&item->body),
                              obstacle(link, ENVELOPE_REPLY) ?: "receiver is down",
                              link->retry_after_ms ? link->retry_after_ms : 250);
            }
        }
        parked_free(item);
        item = next;
    }
}

void link_apply(struct actor *self, struct link *link, struct span endpoint, uint32_t incarnation, enum actor_life life,
                uint32_t retry_after_ms)
{
    bool is_same_life = link->state == LINK_UP && endpoint.len && link->incarnation == incarnation &&
                        span_is(endpoint, span_from(link->endpoint));

    link->life = life;
    link->retry_after_ms = retry_after_ms;
    if (is_same_life) {
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
    parked_release(self, link);
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
            while (link->parked_head) {
                struct parked *item = link->parked_head;

                link->parked_head = item->next;
                parked_free(item);
            }
            zsock_destroy(&link->push); /* lingers: last answers still go out */
            free(link);
        }
    }
}
