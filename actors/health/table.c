/*
 * table: see table.h.
 */
#include "actors/health/table.h"

#include <stdlib.h>

#include "bus/base/fault.h"

#define SLOTS_FIRST 64

static size_t slot_of(const struct table *self, struct span key)
{
    uint64_t hash = 0xcbf29ce484222325ULL ^ self->seed;

    for (size_t i = 0; i < key.len; i++) {
        hash = (hash ^ (unsigned char)key.ptr[i]) * 0x100000001b3ULL;
    }
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9ULL;
    return (size_t)(hash >> 32) & (self->slots_n - 1);
}

void table_init(struct table *self, uint64_t seed)
{
    *self = (struct table){ .seed = seed };
}

void table_deinit(struct table *self)
{
    free(self->slots);
    *self = (struct table){ 0 };
}

struct table_node *table_find(const struct table *self, struct span key)
{
    struct table_node *node = self->slots_n ? self->slots[slot_of(self, key)] : NULL;

    while (node && !span_is_text(key, node->key)) {
        node = node->next;
    }
    return node;
}

static int grow(struct table *self)
{
    struct table larger = { .slots_n = self->slots_n ? self->slots_n * 2 : SLOTS_FIRST, .seed = self->seed };

    larger.slots = calloc(larger.slots_n, sizeof(struct table_node *));
    if (!larger.slots) {
        return FAULT(-ENOMEM);
    }
    for (size_t i = 0; i < self->slots_n; i++) {
        struct table_node *node = self->slots[i];

        while (node) {
            struct table_node *next = node->next;
            size_t at = slot_of(&larger, span_from(node->key));

            node->next = larger.slots[at];
            larger.slots[at] = node;
            node = next;
        }
    }
    free(self->slots);
    self->slots = larger.slots;
    self->slots_n = larger.slots_n;
    return 0;
}

int table_add(struct table *self, struct table_node *node)
{
    size_t at;

    if (self->nodes_n >= self->slots_n) {
        int r = grow(self);

        if (r) {
            return r;
        }
    }
    at = slot_of(self, span_from(node->key));
    node->next = self->slots[at];
    self->slots[at] = node;
    self->nodes_n++;
    return 0;
}

void table_remove(struct table *self, struct table_node *node)
{
    struct table_node **at = self->slots_n ? &self->slots[slot_of(self, span_from(node->key))] : NULL;

    while (at && *at && *at != node) {
        at = &(*at)->next;
    }
    if (at && *at) {
        *at = node->next;
        node->next = NULL;
        self->nodes_n--;
    }
}
