/*
 * nearest: which known word a mistyped one was probably meant to be.
 */
#ifndef BUS_BASE_NEAREST_H
#define BUS_BASE_NEAREST_H

#include <stddef.h>

/* Single-letter edits (insert, drop, replace, swap neighbours) from `a` to `b`. */
size_t nearest_distance(const char *a, const char *b);

struct nearest {
    const char *typed;
    const char *best; /* NULL while nothing is near enough */
    size_t distance;
};

/* Offers one more known word; keeps it when it is nearer than all before. */
void nearest_offer(struct nearest *self, const char *known);

#endif
