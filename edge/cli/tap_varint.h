/*
 * tap_varint: whole numbers in as few bytes as they need (LEB128), written to a growing
 * buffer and read from bytes that may be anything.
 */
#ifndef EDGE_CLI_TAP_VARINT_H
#define EDGE_CLI_TAP_VARINT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/base/fault.h"
#include "bus/json.h"

#define VARINT_MAX 10 /* bytes */

/* 0 or -ENOMEM. */
static inline int varint_put(struct text_buf *out, uint64_t value)
{
    if (text_buf_reserve(out, VARINT_MAX)) {
        return FAULT(-ENOMEM);
    }
    for (; value >= 0x80; value >>= 7) {
        out->data[out->len++] = (char)(0x80 | (value & 0x7f));
    }
    out->data[out->len++] = (char)value;
    return 0;
}

/* Small numbers of either sign stay small. */
static inline uint64_t varint_fold(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t varint_unfold(uint64_t value)
{
    return (int64_t)(value >> 1 ^ -(value & 1));
}

/* What is left to read. An error is sticky: then everything reads as 0. */
struct varint_reader {
    struct span rest;
    bool is_bad;
};

static inline uint64_t varint_get(struct varint_reader *self)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && self->rest.len && !self->is_bad; shift += 7) {
        uint8_t byte = (uint8_t)*self->rest.ptr++;

        self->rest.len--;
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
    self->is_bad = true;
    return 0;
}

/* A length, and so many bytes. */
static inline struct span varint_get_bytes(struct varint_reader *self)
{
    uint64_t len = varint_get(self);
    struct span bytes = { self->rest.ptr, (size_t)len };

    if (self->is_bad || len > self->rest.len) {
        self->is_bad = true;
        return (struct span){ NULL, 0 };
    }
    self->rest.ptr += len;
    self->rest.len -= len;
    return bytes;
}

static inline int varint_put_bytes(struct text_buf *out, struct span bytes)
{
    int r = varint_put(out, bytes.len);

    return r ? r : text_buf_add(out, bytes);
}

#endif
