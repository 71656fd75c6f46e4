/*
 * table: finds structs by a text key; the nodes are members of what is found.
 */
#ifndef ACTORS_HEALTH_TABLE_H
#define ACTORS_HEALTH_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

struct table_node {
    struct table_node *next;
    const char *key; /* terminated, lives as long as the node */
};

struct table {
    struct table_node **slots; /* owned */
    size_t slots_n;            /* a power of two */
    size_t nodes_n;
    uint64_t seed; /* keys come from clients */
};

void table_init(struct table *self, uint64_t seed);
/* Frees the table, not the nodes. */
void table_deinit(struct table *self);
struct table_node *table_find(const struct table *self, struct span key);
/* The key must not be in it yet. 0 or -ENOMEM. */
int table_add(struct table *self, struct table_node *node);
void table_remove(struct table *self, struct table_node *node);

#endif
