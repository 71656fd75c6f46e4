/*
 * quota: how much memory waits for the connections of each principal. Pure.
 */
#ifndef EDGE_LISTENER_QUOTA_H
#define EDGE_LISTENER_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define QUOTA_BUCKETS 64U

struct quota {
    struct quota *next;
    size_t bytes;
    uint32_t refs;
    char principal[];
};

struct quota_table {
    struct quota *buckets[QUOTA_BUCKETS];
};

/* One reference to the row of that principal, made when absent; NULL without memory. */
struct quota *quota_take(struct quota_table *self, struct span principal);
/* Gives the reference back; the last one ends the row. NULL-safe. */
void quota_drop(struct quota_table *self, struct quota **quota_p);

#endif
