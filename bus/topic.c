/*
 * topic: publishing to whoever subscribed. The node knows the subscribers; a publisher
 * asks once and is told of changes. The body is packed once and shared.
 */
#include "bus/actor_internal.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "bus/wire.h"

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

static int body_send(struct actor *self, struct topic_pub *pub, const struct envelope *env, const zmq_msg_t *frame)
{
    for (size_t i = 0; i < pub->subscribers_n; i++) {
        struct envelope copy = *env;
        zmq_msg_t shared;

        (void)zmq_msg_init(&shared);
        if (zmq_msg_copy(&shared, (zmq_msg_t *)(uintptr_t)frame) != 0) {
            return FAULT(-zmq_errno());
        }
        int r = link_send(self, pub->subscribers[i], &copy, &shared);
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

/* Takes the frame. */
static void event_park(struct actor *self, struct topic_pub *pub, struct trace_id trace, zmq_msg_t *frame)
{
    struct topic_event *event = mem_new(sizeof(*event));

    event->pub = pub;
    event->trace = trace;
    (void)zmq_msg_init(&event->body);
    (void)zmq_msg_move(&event->body, frame);
    *self->events_tail = event;
    self->events_tail = &event->next;
    self->events_n++;
}

static void event_drop(struct actor *self)
{
    struct topic_event *event = self->events;

    self->events = event->next;
    if (!self->events) {
        self->events_tail = &self->events;
    }
    self->events_n--;
    frame_close(&event->body);
    free(event);
}

static int frame_publish(struct actor *self, const struct schema_msg *topic, zmq_msg_t *frame,
                         const struct actor_ctx *cause)
{
    struct topic_pub *pub = pub_get(self, topic);
    struct trace_id trace = cause ? actor_ctx_trace(cause) : (struct trace_id){ 0 };
    struct envelope env = envelope_of(self, pub, trace);
    int r = 0;

    if (pub->is_known && !self->events) {
        r = body_send(self, pub, &env, frame);
    } else if (self->events_n < TOPIC_PARKED_MAX) {
        event_park(self, pub, trace, frame);
    } else {
        actor_dead_letter(self, &env, zmq_msg_size(frame), "subscribers are not known yet and too much waits");
    }
    frame_close(frame);
    return r;
}

int actor_publish(struct actor *self, const struct schema_msg *topic, const void *in, const struct actor_ctx *cause)
{
    zmq_msg_t frame;
    int r = actor_body_make(self, topic, in, (struct span){ 0 }, &frame);

    return r < 0 ? r : frame_publish(self, topic, &frame, cause);
}

int actor_publish_span(struct actor *self, const struct schema_msg *topic, struct span body,
                       const struct actor_ctx *cause)
{
    zmq_msg_t frame;
    int r = frame_copy(body, &frame);

    return r < 0 ? r : frame_publish(self, topic, &frame, cause);
}

/* The oldest go first; one whose subscribers are not known yet holds up the rest. */
static void events_release(struct actor *self)
{
    while (self->events && self->events->pub->is_known) {
        struct envelope env = envelope_of(self, self->events->pub, self->events->trace);

        (void)body_send(self, self->events->pub, &env, &self->events->body); /* memory: as for a full subscriber */
        event_drop(self);
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
    events_release(self);
}

bool topic_has_subscribers(struct actor *self, const struct schema_msg *topic)
{
    return pub_get(self, topic)->subscribers_n > 0;
}

void topic_free_all(struct actor *self)
{
    while (self->events) {
        event_drop(self);
    }
    while (self->pubs) {
        struct topic_pub *pub = self->pubs;

        self->pubs = pub->next;
        free(pub->subscribers);
        free(pub);
    }
}
