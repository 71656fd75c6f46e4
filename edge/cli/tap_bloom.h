/*
 * tap_bloom: which texts a block of a recording may hold (a Bloom filter): never says no
 * to one that is there.
 */
#ifndef EDGE_CLI_TAP_BLOOM_H
#define EDGE_CLI_TAP_BLOOM_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define TAP_BLOOM_BYTES 512U

struct tap_bloom {
    uint8_t bits[TAP_BLOOM_BYTES];
};

static inline uint64_t tap_bloom_hash(struct span text)
{
    uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */

    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3U;
    }
    return hash ^ hash >> 29;
}

static inline void tap_bloom_add(struct tap_bloom *self, struct span text)
{
    uint64_t hash = tap_bloom_hash(text);

    for (unsigned i = 0; i < 4; i++, hash >>= 12) {
        self->bits[hash % (TAP_BLOOM_BYTES * 8) / 8] |= (uint8_t)(1U << hash % 8);
    }
}

static inline bool tap_bloom_may_have(const struct tap_bloom *self, struct span text)
{
    uint64_t hash = tap_bloom_hash(text);
    bool may = true;

    for (unsigned i = 0; i < 4; i++, hash >>= 12) {
        may = may && (self->bits[hash % (TAP_BLOOM_BYTES * 8) / 8] & 1U << hash % 8);
    }
    return may;
}

#endif
