/*
 * outbox: what waits for the node's word on who hears a topic: its events, and whatever
 * the actor sent to others behind them, so that messages between two actors keep their
 * order. Where there was no room for events, a gap stands for them. A barrier waits for
 * the word that all know of the actor's own subscriptions. No sockets, no clock.
 */
#ifndef BUS_OUTBOX_H
#define BUS_OUTBOX_H

#include <zmq.h>

#include "bus/actor.h"

struct link;
struct topic_pub;

struct outbox_item {
    struct outbox_item *next;
    struct topic_pub *pub; /* of an event or a gap */
    struct link *link;     /* of a message */
    uint64_t barrier;      /* its number; 0: it is something else */
    bool is_gap;
    bool is_bounded;
    bool is_droppable;     /* of an event */
    struct trace_id trace; /* of an event */
    uint64_t lost;         /* of a gap */
    uint64_t dropped;
    zmq_msg_t header; /* of a message */
    zmq_msg_t body;
};

struct outbox {
    struct outbox_item *head;
    struct outbox_item **tail;
    struct outbox_item *gaps; /* the first of the gaps that end the queue, or NULL */
    uint32_t msgs;            /* those that are bounded */
    size_t bytes;
};

void outbox_init(struct outbox *self);
void outbox_deinit(struct outbox *self);
/* True when there is no room for one more that is bounded. */
bool outbox_is_full(const struct outbox *self);
/* Takes the body. */
void outbox_event_push(struct outbox *self, struct topic_pub *pub, struct trace_id trace, bool is_droppable,
                       zmq_msg_t *body);
/* Takes both frames. Answers are not bounded here: their number is that of the calls
 * taken, their bytes those of the stream's credit. */
void outbox_msg_push(struct outbox *self, struct link *link, bool is_bounded, zmq_msg_t *header, zmq_msg_t *body);
/* What is sent from now on waits until the barrier is lifted. */
void outbox_barrier_push(struct outbox *self, uint64_t number);
/* Counts an event into a gap at the end of the queue; one gap per topic between two others. */
void outbox_gap_add(struct outbox *self, struct topic_pub *pub, bool is_droppable);
/* The oldest, or NULL; the caller destroys it. */
struct outbox_item *outbox_pop(struct outbox *self);
/* For CLEANUP. */
void outbox_item_destroy(struct outbox_item **item_p);

#endif
