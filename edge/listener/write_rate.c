#include "edge/listener/write_rate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/mem.h"

#define ROWS_FIRST 8U

void write_rate_deinit(struct write_rate *self)
{
    free(self->rows);
    *self = (struct write_rate){ .rows = NULL };
}

/* Writes are rare, so that a walk over all rows is cheap enough; it also finds a row to use anew. */
static struct write_rate_row *row_find(struct write_rate *self, const char *key, uint64_t now_ms)
{
    struct write_rate_row *old = NULL;

    for (uint32_t i = 0; i < self->rows_n; i++) {
        struct write_rate_row *row = &self->rows[i];

        if (strcmp(row->key, key) == 0) {
            return row;
        }
        if (now_ms - row->since_ms >= WRITE_RATE_WINDOW_MS) {
            old = row;
        }
    }
    return old;
}

static void rows_grow(struct write_rate *self)
{
    uint32_t cap = self->cap ? self->cap * 2 : ROWS_FIRST;
    struct write_rate_row *rows = mem_new(cap * sizeof(*rows));

    if (self->rows_n) {
        memcpy(rows, self->rows, self->rows_n * sizeof(*rows));
    }
    free(self->rows);
    self->rows = rows;
    self->cap = cap;
}

/* The one that was seen first gives way when there is room for no more. */
static struct write_rate_row *row_make(struct write_rate *self)
{
    struct write_rate_row *oldest = self->rows;

    if (self->rows_n < WRITE_RATE_ROWS) {
        if (self->rows_n == self->cap) {
            rows_grow(self);
        }
        return &self->rows[self->rows_n++];
    }
    for (uint32_t i = 1; i < self->rows_n; i++) {
        oldest = self->rows[i].since_ms < oldest->since_ms ? &self->rows[i] : oldest;
    }
    return oldest;
}

uint32_t write_rate_take(struct write_rate *self, const char *key, uint32_t max, uint64_t now_ms)
{
    struct write_rate_row *row = row_find(self, key, now_ms);

    if (!row) {
        row = row_make(self);
        row->key[0] = '\0';
    }
    if (strcmp(row->key, key) != 0 || now_ms - row->since_ms >= WRITE_RATE_WINDOW_MS) {
        (void)snprintf(row->key, sizeof(row->key), "%s", key); /* a longer one shares with those it begins like */
        row->since_ms = now_ms;
        row->count = 0;
    }
    if (row->count >= max) {
        return (uint32_t)(row->since_ms + WRITE_RATE_WINDOW_MS - now_ms);
    }
    row->count++;
    return 0;
}
