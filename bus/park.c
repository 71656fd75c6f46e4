#include "bus/park.h"

#include <assert.h>
#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/frame.h"

void park_init(struct park *self)
{
    *self = (struct park){ 0 };
    self->tail = &self->head;
}

void park_deinit(struct park *self)
{
    for (struct park_item *item = park_pop(self); item; item = park_pop(self)) {
        park_item_destroy(&item);
    }
}

static struct park_item *item_append(struct park *self)
{
    struct park_item *item = mem_new(sizeof(*item));

    (void)zmq_msg_init(&item->header); /* cannot fail */
    (void)zmq_msg_init(&item->body);
    *self->tail = item;
    self->tail = &item->next;
    return item;
}

void park_push(struct park *self, enum envelope_kind kind, zmq_msg_t *header, zmq_msg_t *body)
{
    struct park_item *item = item_append(self);

    item->kind = kind;
    (void)zmq_msg_move(&item->header, header);
    (void)zmq_msg_move(&item->body, body);
    self->gaps = NULL;
    self->msgs++;
    self->bytes += zmq_msg_size(&item->header) + zmq_msg_size(&item->body);
}

void park_gap_add(struct park *self, struct span topic, uint64_t lost, uint64_t dropped)
{
    struct park_item *item = self->gaps;

    while (item && !span_is(topic, (struct span){ item->gap->topic, item->gap->len })) {
        item = item->next;
    }
    if (!item) {
        assert(topic.len < ENVELOPE_NAME_MAX);
        item = item_append(self);
        item->gap = mem_new(sizeof(*item->gap));
        memcpy(item->gap->topic, topic.ptr, topic.len);
        item->gap->len = (uint8_t)topic.len;
        self->gaps = self->gaps ? self->gaps : item;
    }
    item->gap->lost += lost;
    item->gap->dropped += dropped;
}

struct park_item *park_pop(struct park *self)
{
    struct park_item *item = self->head;

    if (!item) {
        return NULL;
    }
    self->head = item->next;
    if (!self->head) {
        self->tail = &self->head;
    }
    if (self->gaps == item) {
        self->gaps = item->next;
    }
    if (!item->gap) {
        self->msgs--;
        self->bytes -= zmq_msg_size(&item->header) + zmq_msg_size(&item->body);
    }
    item->next = NULL;
    return item;
}

void park_item_destroy(struct park_item **item_p)
{
    struct park_item *item = TAKE(*item_p);

    if (item) {
        frame_close(&item->header);
        frame_close(&item->body);
        free(item->gap);
        free(item);
    }
}
