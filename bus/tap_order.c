#include "bus/tap_order.h"

#include <errno.h>
#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/value.h"

#define BATCH_DEPTH_MAX 72

/* What one actor has lost. It counts from 0 again when it is started again. */
struct tap_sender {
    struct tap_sender *next;
    uint64_t dropped; /* as it said last */
    uint64_t earlier; /* in the lives before */
    size_t len;
    char name[]; /* host, address */
};

static struct tap_sender *sender_get(struct tap_order *self, struct span host, struct span address)
{
    size_t len = host.len + address.len;
    struct tap_sender *sender = self->senders;

    for (; sender; sender = sender->next) {
        if (sender->len == len && memcmp(sender->name, host.ptr, host.len) == 0 &&
            memcmp(sender->name + host.len, address.ptr, address.len) == 0) {
            return sender;
        }
    }
    sender = calloc(1, sizeof(*sender) + len);
    if (sender) {
        sender->len = len;
        memcpy(sender->name, host.ptr, host.len);
        memcpy(sender->name + host.len, address.ptr, address.len);
        sender->next = self->senders;
        self->senders = sender;
    }
    return sender;
}

static int dropped_note(struct tap_order *self, struct span host, struct span address, uint64_t dropped)
{
    struct tap_sender *sender = sender_get(self, host, address);

    if (!sender) {
        return FAULT(-ENOMEM);
    }
    sender->earlier += dropped < sender->dropped ? sender->dropped : 0;
    sender->dropped = dropped;
    return 0;
}

uint64_t tap_order_dropped(const struct tap_order *self)
{
    uint64_t sum = 0;

    for (const struct tap_sender *sender = self->senders; sender; sender = sender->next) {
        sum += sender->earlier + sender->dropped;
    }
    return sum;
}

static bool is_before(const struct tap_held *a, const struct tap_held *b)
{
    return a->record.ts_us != b->record.ts_us ? a->record.ts_us < b->record.ts_us : a->number < b->number;
}

static void swap(struct tap_held **heap, size_t i, size_t k)
{
    struct tap_held *held = heap[i];

    heap[i] = heap[k];
    heap[k] = held;
}

static int heap_push(struct tap_order *self, struct tap_held *held)
{
    if (self->n == self->cap) {
        size_t cap = self->cap ? self->cap * 2 : 256;
        struct tap_held **heap = realloc(self->heap, cap * sizeof(void *));

        if (!heap) {
            return FAULT(-ENOMEM);
        }
        self->heap = heap;
        self->cap = cap;
    }
    self->heap[self->n++] = held;
    self->bytes += held->len;
    for (size_t i = self->n - 1; i && is_before(self->heap[i], self->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        swap(self->heap, i, (i - 1) / 2);
    }
    return 0;
}

static struct tap_held *heap_pop(struct tap_order *self)
{
    struct tap_held *first = self->heap[0];

    self->bytes -= first->len;
    self->heap[0] = self->heap[--self->n];
    for (size_t i = 0, least = 0;; i = least) {
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < self->n; child++) {
            least = is_before(self->heap[child], self->heap[least]) ? child : least;
        }
        if (least == i) {
            return first;
        }
        swap(self->heap, i, least);
    }
}

void tap_order_deinit(struct tap_order *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->heap[i]);
    }
    free(self->heap);
    while (self->senders) {
        struct tap_sender *sender = self->senders;

        self->senders = sender->next;
        free(sender);
    }
    *self = (struct tap_order){ 0 };
}

/* A record with everything it borrows; NULL when memory is out. */
static struct tap_held *held_new(struct span host, struct span address, struct span item)
{
    size_t len = host.len + address.len + item.len;
    struct tap_held *held = malloc(sizeof(*held) + len);
    char *at = held ? held->bytes : NULL;

    if (!held) {
        return NULL;
    }
    held->record = (struct tap_record){ .host = { at, host.len }, .address = { at + host.len, address.len } };
    held->len = sizeof(*held) + len;
    memcpy(at, host.ptr, host.len);
    memcpy(at + host.len, address.ptr, address.len);
    memcpy(at + host.len + address.len, item.ptr, item.len);
    return held;
}

int tap_order_add(struct tap_order *self, struct span batch, unsigned *ret_malformed)
{
    static const struct span empty = { "", 0 };
    struct value_iter it;
    struct span key;
    struct span head;
    struct span item;
    struct span host;
    struct span address;

    if (!wire_check(batch.ptr, batch.len, BATCH_DEPTH_MAX) || value_kind_of(batch) != VALUE_ARRAY) {
        return TAP_RECORD_E_MALFORMED;
    }
    it = value_iter(batch);
    if (!value_next(&it, &key, &head) || value_kind_of(head) != VALUE_MAP) {
        return TAP_RECORD_E_MALFORMED;
    }
    host = value_str(value_get(head, "host"), empty);
    address = value_str(value_get(head, "address"), empty);
    if (dropped_note(self, host, address, (uint64_t)value_i64(value_get(head, "dropped"), 0))) {
        return FAULT(-ENOMEM);
    }
    while (value_next(&it, &key, &item)) {
        struct tap_held *held = held_new(host, address, item);

        if (!held) {
            return FAULT(-ENOMEM);
        }
        held->number = ++self->added;
        if (!tap_record_read((struct span){ held->bytes + host.len + address.len, item.len }, &held->record)) {
            ++*ret_malformed;
            free(held);
        } else if (heap_push(self, held)) {
            free(held);
            return FAULT(-ENOMEM);
        }
    }
    return 0;
}

struct tap_held *tap_order_take(struct tap_order *self, int64_t until_us)
{
    bool is_full = self->n > TAP_ORDER_MAX || (self->bytes_max && self->bytes > self->bytes_max);

    if (self->n == 0 || (self->heap[0]->record.ts_us > until_us && !is_full)) {
        return NULL;
    }
    return heap_pop(self);
}
