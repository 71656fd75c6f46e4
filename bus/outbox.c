#include "bus/outbox.h"

#include <stdlib.h>

#include "bus/base/mem.h"
#include "bus/frame.h"

#define OUTBOX_MSGS 4096
#define OUTBOX_BYTES ((size_t)8 * 1024 * 1024)

void outbox_init(struct outbox *self)
{
    *self = (struct outbox){ 0 };
    self->tail = &self->head;
}

void outbox_deinit(struct outbox *self)
{
    for (struct outbox_item *item = outbox_pop(self); item; item = outbox_pop(self)) {
        outbox_item_destroy(&item);
    }
}

bool outbox_is_full(const struct outbox *self)
{
    return self->msgs >= OUTBOX_MSGS || self->bytes >= OUTBOX_BYTES;
}

static size_t item_bytes(struct outbox_item *item)
{
    return zmq_msg_size(&item->header) + zmq_msg_size(&item->body);
}

static struct outbox_item *item_append(struct outbox *self)
{
    struct outbox_item *item = mem_new(sizeof(*item));

    (void)zmq_msg_init(&item->header); /* cannot fail */
    (void)zmq_msg_init(&item->body);
    *self->tail = item;
    self->tail = &item->next;
    return item;
}

static void item_count(struct outbox *self, struct outbox_item *item, bool is_bounded)
{
    self->gaps = NULL;
    item->is_bounded = is_bounded;
    if (is_bounded) {
        self->msgs++;
        self->bytes += item_bytes(item);
    }
}

void outbox_event_push(struct outbox *self, struct topic_pub *pub, struct trace_id trace, bool is_droppable,
                       zmq_msg_t *body)
{
    struct outbox_item *item = item_append(self);

    item->pub = pub;
    item->trace = trace;
    item->is_droppable = is_droppable;
    (void)zmq_msg_move(&item->body, body);
    item_count(self, item, true);
}

void outbox_msg_push(struct outbox *self, struct link *link, bool is_bounded, zmq_msg_t *header, zmq_msg_t *body)
{
    struct outbox_item *item = item_append(self);

    item->link = link;
    (void)zmq_msg_move(&item->header, header);
    (void)zmq_msg_move(&item->body, body);
    item_count(self, item, is_bounded);
}

void outbox_barrier_push(struct outbox *self, uint64_t number)
{
    struct outbox_item *item = item_append(self);

    item->barrier = number;
    item_count(self, item, false);
}

void outbox_gap_add(struct outbox *self, struct topic_pub *pub, bool is_droppable)
{
    struct outbox_item *item = self->gaps;

    while (item && item->pub != pub) {
        item = item->next;
    }
    if (!item) {
        item = item_append(self);
        item->pub = pub;
        item->is_gap = true;
        self->gaps = self->gaps ? self->gaps : item;
    }
    item->lost += !is_droppable;
    item->dropped += is_droppable;
}

struct outbox_item *outbox_pop(struct outbox *self)
{
    struct outbox_item *item = self->head;

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
    if (item->is_bounded) {
        self->msgs--;
        self->bytes -= item_bytes(item);
    }
    item->next = NULL;
    return item;
}

void outbox_item_destroy(struct outbox_item **item_p)
{
    struct outbox_item *item = TAKE(*item_p);

    if (item) {
        frame_close(&item->header);
        frame_close(&item->body);
        free(item);
    }
}
