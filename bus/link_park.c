/*
 * link_park: what waits for one peer: events for a subscriber that is slow, anything for
 * one whose address is not known yet; and what becomes of it when credit comes, when the
 * peer is gone, when we end.
 */
#include "bus/link_internal.h"
#include "bus/value.h"
#include "bus/wire.h"

int link_publish(struct actor *self, struct link *link, struct envelope *env, zmq_msg_t *body, bool is_droppable)
{
    link_resolve(self, link);
    if (link->state == LINK_DOWN || !link_is_to_wait(link, env) ||
        (link_has_room(link) && (!is_droppable || link->state == LINK_RESOLVING))) {
        return link_send(self, link, env, body);
    }
    size_t body_bytes = zmq_msg_size(body);
    frame_close(body);
    park_gap_add(&link->park, env->name, !is_droppable, is_droppable);
    if (!is_droppable) {
        link_envelope_complete(self, link, env);
        dead_letter_report(self, env, body_bytes, "the subscriber is too slow; it is told what it missed", true);
    }
    return 0;
}

/* As a message of its own, in the gap's place. Memory may be short; then it waits on. */
static int gap_send(struct actor *self, struct link *link, const struct park_gap *gap)
{
    struct envelope env = { .kind = ENVELOPE_CAST,
                            .from = span_from(self->address),
                            .name = { wire_gap.name, wire_gap.name_len },
                            .left_ms = UINT32_MAX };
    zmq_msg_t header;
    zmq_msg_t body;

    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_str(&self->scratch, "topic", (struct span){ gap->topic, gap->len });
    pack_kv_u64(&self->scratch, "lost", gap->lost);
    pack_kv_u64(&self->scratch, "dropped", gap->dropped);
    pack_map_end(&self->scratch);
    int r = frame_copy(pack_span(&self->scratch), &body);
    if (r < 0) {
        return r;
    }
    link_envelope_complete(self, link, &env);
    r = link_header_make(self, &env, &body, &header);
    if (r < 0) {
        return r;
    }
    link_transmit(self, link, &header, &body);
    return 0;
}

static void item_refuse(struct actor *self, const struct link *link, struct park_item *item, const char *why)
{
    struct envelope env;

    if (!item->gap &&
        envelope_decode((struct span){ zmq_msg_data(&item->header), zmq_msg_size(&item->header) }, &env)) {
        link_undeliverable(self, link, &env, zmq_msg_size(&item->body), why);
    }
}

/* What waited goes out as far as there is credit, or is dealt with as undeliverable. */
void link_park_release(struct actor *self, struct link *link)
{
    while (link->park.head && link->state != LINK_RESOLVING) {
        struct park_item *head = link->park.head;

        if (link->state == LINK_UP && !link_has_credit(link) && (head->gap || link_is_credited(head->kind))) {
            return;
        }
        CLEANUP(park_item_destroy) struct park_item *item = park_pop(&link->park);
        if (link->state == LINK_DOWN) {
            item_refuse(self, link, item,
                        link_obstacle(link, &(struct envelope){ .kind = ENVELOPE_REPLY }) ?: "receiver is down");
        } else if (!item->gap) {
            link_transmit(self, link, &item->header, &item->body);
        } else if (gap_send(self, link, item->gap) < 0) {
            park_gap_add(&link->park, (struct span){ item->gap->topic, item->gap->len }, item->gap->lost,
                         item->gap->dropped);
            return;
        }
    }
}

void link_gap(struct actor *self, struct link *link, struct span topic, uint64_t lost, uint64_t dropped)
{
    link_resolve(self, link);
    if (link->state != LINK_DOWN) {
        park_gap_add(&link->park, topic, lost, dropped);
        link_park_release(self, link);
    }
}

/* Credit is not waited for any more: a word for each topic is little. */
static void gaps_send(struct actor *self, struct link *link, struct park *gaps)
{
    for (struct park_item *item = park_pop(gaps); item; item = park_pop(gaps)) {
        (void)gap_send(self, link, item->gap); /* its only fault is memory */
        park_item_destroy(&item);
    }
}

static void event_abandon(struct actor *self, struct park *gaps, struct park_item *item)
{
    struct span body = { zmq_msg_data(&item->body), zmq_msg_size(&item->body) };
    struct envelope env;

    if (!envelope_decode((struct span){ zmq_msg_data(&item->header), zmq_msg_size(&item->header) }, &env)) {
        return;
    }
    const struct schema_msg *topic = schema_find_topic(self->opts.registry, env.name);
    bool is_droppable = topic && schema_is_droppable(topic, body);
    park_gap_add(gaps, env.name, !is_droppable, is_droppable);
    if (!is_droppable) {
        dead_letter_report(self, &env, body.len, "the publisher ended before the subscriber had room for it", true);
    }
}

void link_abandon(struct actor *self, struct link *link)
{
    struct park gaps;

    park_init(&gaps);
    while (link->park.head) {
        CLEANUP(park_item_destroy) struct park_item *item = park_pop(&link->park);

        if (item->gap) {
            park_gap_add(&gaps, (struct span){ item->gap->topic, item->gap->len }, item->gap->lost, item->gap->dropped);
        } else if (item->kind == ENVELOPE_PUBLISH) {
            event_abandon(self, &gaps, item);
        } else if (link->state != LINK_UP) {
            item_refuse(self, link, item, "the sender ended before its receiver was known");
        } else {
            gaps_send(self, link, &gaps);
            link_transmit(self, link, &item->header, &item->body);
        }
    }
    if (link->state == LINK_UP) {
        gaps_send(self, link, &gaps);
    }
    park_deinit(&gaps); /* who was never found cannot be told */
}

void link_on_credit(struct actor *self, struct mail *mail)
{
    struct span body = body_span(&mail->body);
    struct link *link = link_find(self, mail->env.from);
    struct span key, bytes, msgs;

    if (!link || link->incarnation != mail->env.incarnation || !wire_check(body.ptr, body.len, 2)) {
        return;
    }
    struct value_iter it = value_iter(body);
    if (!value_next(&it, &key, &bytes) || !value_next(&it, &key, &msgs)) {
        return;
    }
    link->credit_bytes += value_i64(bytes, 0);
    link->credit_msgs += value_i64(msgs, 0);
    if (link->credit_bytes > LINK_WINDOW_BYTES) {
        link->credit_bytes = LINK_WINDOW_BYTES;
    }
    if (link->credit_msgs > LINK_WINDOW_MSGS) {
        link->credit_msgs = LINK_WINDOW_MSGS;
    }
    link_park_release(self, link);
}
