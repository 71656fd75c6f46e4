/*
 * pack_direct: the unchecked inner writers of pack, inline, for code that knows its own
 * shape (pack.c, codec.c, json_read.c). Everyone else uses pack.h.
 *
 * A caller reserves room first; the put_ functions only store.
 */
#ifndef BUS_PACK_DIRECT_H
#define BUS_PACK_DIRECT_H

#include <endian.h>
#include <string.h>

#include "bus/pack.h"

#define PACK_HEAD_MAX 9 /* the longest head of a value: one byte and eight of number */

/* Makes room or records the fault; false after any fault. */
bool pack_grow(struct pack *self, size_t more);
/* Counts one value in the innermost container; false when it has no place there. */
bool pack_value_place(struct pack *self);

static inline bool pack_reserve(struct pack *self, size_t more)
{
    if (__builtin_expect(!self->fault && self->cap - self->len >= more, 1)) {
        return true;
    }
    return pack_grow(self, more);
}

static inline void put_byte(struct pack *self, uint8_t byte)
{
    self->data[self->len++] = (char)byte;
}

static inline void put_be16(struct pack *self, uint8_t head, uint16_t number)
{
    uint16_t big = htobe16(number);

    put_byte(self, head);
    memcpy(self->data + self->len, &big, sizeof(big));
    self->len += sizeof(big);
}

static inline void put_be32(struct pack *self, uint8_t head, uint32_t number)
{
    uint32_t big = htobe32(number);

    put_byte(self, head);
    memcpy(self->data + self->len, &big, sizeof(big));
    self->len += sizeof(big);
}

static inline void put_be64(struct pack *self, uint8_t head, uint64_t number)
{
    uint64_t big = htobe64(number);

    put_byte(self, head);
    memcpy(self->data + self->len, &big, sizeof(big));
    self->len += sizeof(big);
}

static inline void put_u64(struct pack *self, uint64_t value)
{
    if (value < 0x80) {
        put_byte(self, (uint8_t)value);
    } else if (value <= UINT8_MAX) {
        put_byte(self, 0xcc);
        put_byte(self, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        put_be16(self, 0xcd, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        put_be32(self, 0xce, (uint32_t)value);
    } else {
        put_be64(self, 0xcf, value);
    }
}

static inline void put_i64(struct pack *self, int64_t value)
{
    if (value >= 0) {
        put_u64(self, (uint64_t)value);
    } else if (value >= -32) {
        put_byte(self, (uint8_t)(int8_t)value);
    } else if (value >= INT8_MIN) {
        put_byte(self, 0xd0);
        put_byte(self, (uint8_t)(int8_t)value);
    } else if (value >= INT16_MIN) {
        put_be16(self, 0xd1, (uint16_t)(int16_t)value);
    } else if (value >= INT32_MIN) {
        put_be32(self, 0xd2, (uint32_t)(int32_t)value);
    } else {
        put_be64(self, 0xd3, (uint64_t)value);
    }
}

static inline void put_f64(struct pack *self, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    put_be64(self, 0xcb, bits);
}

static inline size_t str_head_len(size_t len)
{
    return len < 32 ? 1 : len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5;
}

static inline void put_str_head(struct pack *self, size_t len)
{
    if (len < 32) {
        put_byte(self, (uint8_t)(0xa0 | len));
    } else if (len <= UINT8_MAX) {
        put_byte(self, 0xd9);
        put_byte(self, (uint8_t)len);
    } else if (len <= UINT16_MAX) {
        put_be16(self, 0xda, (uint16_t)len);
    } else {
        put_be32(self, 0xdb, (uint32_t)len);
    }
}

static inline void put_bin_head(struct pack *self, size_t len)
{
    if (len <= UINT8_MAX) {
        put_byte(self, 0xc4);
        put_byte(self, (uint8_t)len);
    } else if (len <= UINT16_MAX) {
        put_be16(self, 0xc5, (uint16_t)len);
    } else {
        put_be32(self, 0xc6, (uint32_t)len);
    }
}

static inline void put_bytes(struct pack *self, struct span bytes)
{
    if (bytes.len) {
        memcpy(self->data + self->len, bytes.ptr, bytes.len);
        self->len += bytes.len;
    }
}

/* Writes `count` into the four bytes behind the head at `at`. */
static inline void patch_be32(struct pack *self, size_t at, uint32_t count)
{
    uint32_t big = htobe32(count);

    memcpy(self->data + at + 1, &big, sizeof(big));
}

#endif
