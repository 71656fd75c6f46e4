/*
 * tap_quantile: how long most of many things took, in little room: each is counted in one
 * of 16 parts of its power of two, so that what is told is at most 1/16 too much. Pure.
 */
#ifndef EDGE_CLI_TAP_QUANTILE_H
#define EDGE_CLI_TAP_QUANTILE_H

#include <stdint.h>

#define TAP_QUANTILE_PARTS 16U
#define TAP_QUANTILE_CELLS (61U * TAP_QUANTILE_PARTS)

/* Zeroed memory is ready. */
struct tap_quantile {
    uint64_t n;
    uint64_t most;
    uint32_t cells[TAP_QUANTILE_CELLS];
};

void tap_quantile_note(struct tap_quantile *self, uint64_t value);
/* So that `share` (0 to 1) of all are not above it; 0 when there are none. */
uint64_t tap_quantile_get(const struct tap_quantile *self, double share);

#endif
