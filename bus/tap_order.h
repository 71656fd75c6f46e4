/*
 * tap_order: puts the records of many senders into the order of their time. Each sender
 * sends in batches of its own, so an answer may arrive before its question; a short hold
 * mends that. Pure: the caller says until when.
 */
#ifndef BUS_TAP_ORDER_H
#define BUS_TAP_ORDER_H

#include "bus/tap_record.h"

#define TAP_ORDER_MAX 65536U /* records held at most; then the oldest leave early */

struct tap_order {
    struct tap_held **heap;
    size_t n;
    size_t cap;
    size_t bytes;     /* of what is held */
    size_t bytes_max; /* beyond that, too, the oldest leave early; 0: any number */
    uint64_t added;   /* keeps records of one moment in the order they came in */
    struct tap_sender *senders;
};

void tap_order_deinit(struct tap_order *self);

/*
 * Copies the records of one batch in. Malformed ones are skipped and counted;
 * TAP_RECORD_E_MALFORMED when the batch is none at all, or a fault.
 */
int tap_order_add(struct tap_order *self, struct span batch, unsigned *ret_malformed);
/* Records that senders say they have lost so far, all together. */
uint64_t tap_order_dropped(const struct tap_order *self);

/* The next record sent until then, or NULL; free() it with its spans. */
struct tap_held {
    struct tap_record record;
    uint64_t number;
    size_t len;
    char bytes[]; /* what the record borrows from */
};
struct tap_held *tap_order_take(struct tap_order *self, int64_t until_us);

#endif
