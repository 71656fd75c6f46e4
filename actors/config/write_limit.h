/*
 * write_limit: how often one client may change the config. Pure.
 */
#ifndef ACTORS_CONFIG_WRITE_LIMIT_H
#define ACTORS_CONFIG_WRITE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define WRITE_LIMIT_MAX 3U
#define WRITE_LIMIT_WINDOW_MS 60000U
#define WRITE_LIMIT_CLIENTS 128

struct write_limit {
    struct {
        uint64_t key; /* 0: free */
        uint64_t start_ms;
        unsigned count;
    } clients[WRITE_LIMIT_CLIENTS];
};

/* Counts one more try of `who`. 0: go on; else milliseconds until the next one may come. */
uint32_t write_limit_take(struct write_limit *self, struct span who, uint64_t now_ms);

#endif
