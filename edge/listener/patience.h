/*
 * patience: how much of what brings nothing is borne: a budget that is spent at once or bit by bit, and comes back with
 * time and by what does bring something. Pure; times in milliseconds.
 */
#ifndef EDGE_LISTENER_PATIENCE_H
#define EDGE_LISTENER_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_MAX 1000U
#define PATIENCE_PER_SECOND 33U

struct patience {
    uint32_t spent;
    uint64_t since_ms; /* when some of it last came back */
};

/* False when there is none left. */
bool patience_spend(struct patience *self, uint32_t n, uint64_t now_ms);
void patience_earn(struct patience *self, uint32_t n);

#endif
