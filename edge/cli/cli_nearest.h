/*
 * cli_nearest: which known word a mistyped one was probably meant to be.
 */
#ifndef EDGE_CLI_CLI_NEAREST_H
#define EDGE_CLI_CLI_NEAREST_H

#include <stddef.h>

/* Single-letter edits (insert, drop, replace, swap neighbours) from `a` to `b`. */
size_t cli_nearest_distance(const char *a, const char *b);

struct cli_nearest {
    const char *typed;
    const char *best; /* NULL while nothing is near enough */
    size_t distance;
};

/* Offers one more known word; keeps it when it is nearer than all before. */
void cli_nearest_offer(struct cli_nearest *self, const char *known);

#endif
