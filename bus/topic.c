/*
 * topic: publishing to whoever subscribed. The node knows the subscribers; a publisher
 * asks once and is told of changes. The body is packed once and shared.
 */
#include "bus/actor_internal.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "bus/wire.h"

#define SETTLE_MS 4000U /* longer than what the nodes wait for */

static struct topic_pub *pub_find(struct actor *self, struct span name)
{
    struct topic_pub *pub = self->pubs;

    while (pub && !span_is((struct span){ pub->name, pub->len }, name)) {
        pub = pub->next;
    }
    return pub;
}

static struct topic_pub *pub_get(struct actor *self, const struct schema_msg *topic)
{
    struct topic_pub *pub = pub_find(self, (struct span){ topic->name, topic->name_len });

    if (pub) {
        return pub;
    }
    pub = mem_new(sizeof(*pub));
    memcpy(pub->name, topic->name, topic->name_len);
    pub->len = topic->name_len;
    pub->next = self->pubs;
    self->pubs = pub;
    if (self->opts.subscribers && self->opts.subscribers(self, pub->name)) {
        return pub; /* a node fills it from its own directory */
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "name", pub->name);
    pack_map_end(&self->scratch);
    (void)actor_cast_span(self, self->node_address, &wire_topic, pack_span(&self->scratch), NULL); /* memory only */
    return pub;
}

static int body_send(struct actor *self, struct topic_pub *pub, const struct envelope *env, const zmq_msg_t *frame,
                     bool is_droppable)
{
    for (size_t i = 0; i < pub->subscribers_n; i++) {
        struct envelope copy = *env;
        zmq_msg_t shared;

        (void)zmq_msg_init(&shared);
        if (zmq_msg_copy(&shared, (zmq_msg_t *)(uintptr_t)frame) != 0) {
            return FAULT(-zmq_errno());
        }
        int r = link_publish(self, pub->subscribers[i], &copy, &shared, is_droppable);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static struct envelope envelope_of(struct actor *self, const struct topic_pub *pub, struct trace_id trace)
{
    return (struct envelope){ .kind = ENVELOPE_PUBLISH,
                              .from = span_from(self->address),
                              .name = { pub->name, pub->len },
                              .left_ms = UINT32_MAX,
                              .trace = trace };
}

static struct trace_id trace_of(const struct actor_ctx *cause)
{
    return cause ? actor_ctx_trace(cause) : (struct trace_id){ 0 };
}

static int frame_publish(struct actor *self, const struct schema_msg *topic, zmq_msg_t *frame, struct trace_id trace)
{
    struct topic_pub *pub = pub_get(self, topic);
    struct envelope env = envelope_of(self, pub, trace);
    bool is_droppable = schema_is_droppable(topic, (struct span){ zmq_msg_data(frame), zmq_msg_size(frame) });
    int r = 0;

    if (pub->is_known && !self->outbox.head) {
        r = body_send(self, pub, &env, frame, is_droppable);
    } else if (!outbox_is_full(&self->outbox)) {
        outbox_event_push(&self->outbox, pub, trace, is_droppable, frame);
    } else {
        outbox_gap_add(&self->outbox, pub, is_droppable);
        if (!is_droppable) {
            dead_letter_report(self, &env, zmq_msg_size(frame), "subscribers are not known yet and too much waits",
                               true);
        }
    }
    frame_close(frame);
    return r;
}

int actor_publish(struct actor *self, const struct schema_msg *topic, const void *in, const struct actor_ctx *cause)
{
    zmq_msg_t frame;
    int r = message_make(self, topic, in, (struct span){ 0 }, &frame);

    return r < 0 ? r : frame_publish(self, topic, &frame, trace_of(cause));
}

int actor_publish_traced(struct actor *self, const struct schema_msg *topic, struct span body, struct trace_id trace)
{
    zmq_msg_t frame;
    int r = message_frame(body, schema_body_is_secret(topic), &frame);

    return r < 0 ? r : frame_publish(self, topic, &frame, trace);
}

int actor_publish_span(struct actor *self, const struct schema_msg *topic, struct span body,
                       const struct actor_ctx *cause)
{
    return actor_publish_traced(self, topic, body, trace_of(cause));
}

static void item_send(struct actor *self, struct outbox_item *item)
{
    struct topic_pub *pub = item->pub;

    if (item->barrier) {
        return;
    }
    if (item->link) {
        link_send_held(self, item->link, &item->header, &item->body);
    } else if (item->is_gap) {
        for (size_t i = 0; i < pub->subscribers_n; i++) {
            link_gap(self, pub->subscribers[i], (struct span){ pub->name, pub->len }, item->lost, item->dropped);
        }
    } else {
        struct envelope env = envelope_of(self, pub, item->trace);

        (void)body_send(self, pub, &env, &item->body, item->is_droppable); /* its only fault is memory */
    }
}

static bool may_leave(const struct actor *self, const struct outbox_item *item)
{
    return item->barrier ? item->barrier <= self->lifted : item->link || item->pub->is_known;
}

/* The oldest go first; one that has to wait holds up the rest. */
static void outbox_release(struct actor *self)
{
    while (self->outbox.head && may_leave(self, self->outbox.head)) {
        CLEANUP(outbox_item_destroy) struct outbox_item *item = outbox_pop(&self->outbox);

        item_send(self, item);
    }
}

void topic_abandon(struct actor *self)
{
    for (struct outbox_item *item = outbox_pop(&self->outbox); item; item = outbox_pop(&self->outbox)) {
        if (item->barrier || item->link || item->pub->is_known) {
            item_send(self, item);
        } else if (!item->is_gap && !item->is_droppable) {
            struct envelope env = envelope_of(self, item->pub, item->trace);

            dead_letter_report(self, &env, zmq_msg_size(&item->body),
                               "the publisher ended before its subscribers were known", true);
        }
        outbox_item_destroy(&item);
    }
}

void topic_on_subscribers(struct actor *self, struct span body)
{
    struct topic_pub *pub = pub_find(self, value_str(value_get(body, "name"), (struct span){ 0 }));
    struct span list = value_get(body, "addresses");

    if (!pub) {
        return;
    }
    free(pub->subscribers);
    pub->subscribers_n = 0;
    pub->subscribers = mem_new((value_count(list) + 1U) * sizeof(struct link *));
    struct value_iter it = value_iter(list);
    struct span key, item;
    while (value_next(&it, &key, &item)) {
        struct span address = value_str(item, (struct span){ 0 });

        if (address.len > 0 && address.len < ACTOR_ADDRESS_MAX) {
            pub->subscribers[pub->subscribers_n++] = link_get(self, address);
        }
    }
    pub->is_known = true;
    outbox_release(self);
}

/* Well or not: a call that waits for ever would be worse than one that overtakes. */
static void on_settled(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    uint64_t number = (uintptr_t)cookie;

    (void)state;
    (void)answer;
    actor->lifted = number > actor->lifted ? number : actor->lifted; /* a later one asked all of them again */
    outbox_release(actor);
}

void topic_settle(struct actor *self)
{
    uint64_t number = self->barrier + 1;
    struct pack body;

    self->is_unsettled = false;
    pack_init(&body, 0);
    pack_map_begin(&body);
    pack_kv_text(&body, "who", self->address);
    pack_map_end(&body);
    struct actor_call call = { .to = self->node_address,
                               .msg = &wire_settle,
                               .body = pack_span(&body),
                               .deadline_ms = SETTLE_MS,
                               .on_answer = on_settled,
                               .cookie = (void *)(uintptr_t)number };
    if (actor_call(self, &call, NULL) == 0) {
        self->barrier = number;
        outbox_barrier_push(&self->outbox, number);
    }
    pack_deinit(&body);
}

void topic_settle_end(struct actor *self)
{
    self->lifted = UINT64_MAX;
    outbox_release(self);
}

bool topic_has_subscribers(struct actor *self, const struct schema_msg *topic)
{
    return pub_get(self, topic)->subscribers_n > 0;
}

size_t actor_subscribers(struct actor *self, const struct schema_msg *topic)
{
    const struct topic_pub *pub = pub_get(self, topic);

    return pub->is_known ? pub->subscribers_n : SIZE_MAX;
}

void topic_free_all(struct actor *self)
{
    outbox_deinit(&self->outbox);
    while (self->pubs) {
        struct topic_pub *pub = self->pubs;

        self->pubs = pub->next;
        free(pub->subscribers);
        free(pub);
    }
}

/* --- what a subscriber misses ------------------------------------------------------------- */

void topic_on_gap(struct actor *self, const struct mail *mail)
{
    struct span body = body_span(&mail->body);
    struct span none = { "", 0 };

    if (!wire_check(body.ptr, body.len, 2)) {
        return;
    }
    const struct actor_route *route = route_table_find(&self->topics, value_str(value_get(body, "topic"), none));
    if (!route) {
        return; /* not subscribed any more */
    }
    struct actor_gap gap = { .from = mail->env.from,
                             .topic = route->msg,
                             .lost = (uint64_t)value_i64(value_get(body, "lost"), 0),
                             .dropped = (uint64_t)value_i64(value_get(body, "dropped"), 0) };

    atomic_fetch_add_explicit(&self->opts.stats->events_lost, gap.lost, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->opts.stats->events_dropped, gap.dropped, memory_order_relaxed);
    if (self->def->on_gap) {
        self->def->on_gap(self->state, self, &gap);
    }
}

bool topic_mail_to_gap(struct actor *self, struct mail *mail)
{
    const struct schema_msg *topic = schema_find_topic(self->opts.registry, mail->env.name);
    struct span body = body_span(&mail->body);
    bool is_droppable = topic && wire_check(body.ptr, body.len, PACK_DEPTH_MAX) && schema_is_droppable(topic, body);
    zmq_msg_t word;

    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_str(&self->scratch, "topic", mail->env.name);
    pack_kv_u64(&self->scratch, "lost", !is_droppable);
    pack_kv_u64(&self->scratch, "dropped", is_droppable);
    pack_map_end(&self->scratch);
    if (frame_copy(pack_span(&self->scratch), &word) < 0) {
        return false;
    }
    frame_close(&mail->body.msg);
    (void)zmq_msg_init(&mail->body.msg);
    (void)zmq_msg_move(&mail->body.msg, &word);
    mail->env.kind = ENVELOPE_CAST;
    mail->env.name = (struct span){ wire_gap.name, wire_gap.name_len };
    return true;
}
