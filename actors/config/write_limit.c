#include "actors/config/write_limit.h"

#include <stddef.h>

static uint64_t key_of(struct span who)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < who.len; i++) {
        hash = (hash ^ (unsigned char)who.ptr[i]) * 0x100000001b3U;
    }
    return hash ? hash : 1;
}

/* The row of the key, else a free one, else the one whose window began first. */
static size_t row_find(const struct write_limit *self, uint64_t key)
{
    size_t best = 0;

    for (size_t i = 0; i < WRITE_LIMIT_CLIENTS; i++) {
        if (self->clients[i].key == key) {
            return i;
        }
        bool is_free = !self->clients[i].key;
        bool best_is_free = !self->clients[best].key;
        if (!best_is_free && (is_free || self->clients[i].start_ms < self->clients[best].start_ms)) {
            best = i;
        }
    }
    return best;
}

uint32_t write_limit_take(struct write_limit *self, struct span who, uint64_t now_ms)
{
    uint64_t key = key_of(who);
    size_t i = row_find(self, key);

    if (self->clients[i].key != key || now_ms - self->clients[i].start_ms >= WRITE_LIMIT_WINDOW_MS) {
        self->clients[i].key = key;
        self->clients[i].start_ms = now_ms;
        self->clients[i].count = 0;
    }
    if (self->clients[i].count >= WRITE_LIMIT_MAX) {
        return (uint32_t)(self->clients[i].start_ms + WRITE_LIMIT_WINDOW_MS - now_ms);
    }
    self->clients[i].count++;
    return 0;
}
