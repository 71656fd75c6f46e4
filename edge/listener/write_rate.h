/*
 * write_rate: how often one client may write to the control plane. Pure; times in milliseconds.
 */
#ifndef EDGE_LISTENER_WRITE_RATE_H
#define EDGE_LISTENER_WRITE_RATE_H

#include <stdint.h>

#define WRITE_RATE_MAX 3U     /* of the control plane */
#define WRITE_RATE_OFTEN 120U /* of what programs do one after the other */
#define WRITE_RATE_WINDOW_MS 60000U
#define WRITE_RATE_KEY_MAX 160U
#define WRITE_RATE_ROWS 10000U /* clients that are remembered at most */

struct write_rate_row {
    char key[WRITE_RATE_KEY_MAX];
    uint64_t since_ms;
    uint32_t count;
};

struct write_rate {
    struct write_rate_row *rows;
    uint32_t rows_n;
    uint32_t cap;
};

void write_rate_deinit(struct write_rate *self);

/* Counts one write of `key` (terminated), of which there may be `max`. 0, or how long the client has to wait; that one
 * is not counted. */
uint32_t write_rate_take(struct write_rate *self, const char *key, uint32_t max, uint64_t now_ms);

#endif
