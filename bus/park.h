/*
 * park: what waits for a link, in the order it was sent in: messages and, where there was
 * no room for events, the gaps that stand for them. No sockets, no clock.
 */
#ifndef BUS_PARK_H
#define BUS_PARK_H

#include <zmq.h>

#include "bus/envelope.h"

struct park_gap {
    char topic[ENVELOPE_NAME_MAX];
    uint8_t len;
    uint64_t lost;    /* events that a subscriber should have had */
    uint64_t dropped; /* droppable ones */
};

struct park_item {
    struct park_item *next;
    enum envelope_kind kind; /* of a message */
    zmq_msg_t header;
    zmq_msg_t body;
    struct park_gap *gap; /* instead of a message */
};

struct park {
    struct park_item *head;
    struct park_item **tail;
    struct park_item *gaps; /* the first of the gaps that end the queue, or NULL */
    uint32_t msgs;
    size_t bytes;
};

void park_init(struct park *self);
void park_deinit(struct park *self);
/* Takes the content of both frames. */
void park_push(struct park *self, enum envelope_kind kind, zmq_msg_t *header, zmq_msg_t *body);
/* Counts into a gap at the end of the queue; one gap per topic between two messages. */
void park_gap_add(struct park *self, struct span topic, uint64_t lost, uint64_t dropped);
/* The oldest, or NULL; the caller frees it. */
struct park_item *park_pop(struct park *self);
/* For CLEANUP. */
void park_item_destroy(struct park_item **item_p);

#endif
