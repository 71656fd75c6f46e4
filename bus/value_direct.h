/*
 * value_direct: the reader of one msgpack head, inline, for the walkers on the hot path
 * (value.c, codec.c, json_write.c). Everyone else uses value.h.
 */
#ifndef BUS_VALUE_DIRECT_H
#define BUS_VALUE_DIRECT_H

#include <endian.h>
#include <string.h>

#include "bus/value.h"

/* Moves behind one well-formed value nested at most `depth` deep; bytes need not be checked before. */
bool value_scan(struct span *cursor, unsigned depth);

static inline uint16_t get_be16(const char *at)
{
    uint16_t big;

    memcpy(&big, at, sizeof(big));
    return be16toh(big);
}

static inline uint32_t get_be32(const char *at)
{
    uint32_t big;

    memcpy(&big, at, sizeof(big));
    return be32toh(big);
}

static inline uint64_t get_be64(const char *at)
{
    uint64_t big;

    memcpy(&big, at, sizeof(big));
    return be64toh(big);
}

/* Moves `n` bytes on; false when there are fewer. */
static inline bool span_advance(struct span *cursor, size_t n)
{
    if (cursor->len < n) {
        return false;
    }
    cursor->ptr += n;
    cursor->len -= n;
    return true;
}

static inline bool head_bytes(struct span *cursor, enum value_kind kind, size_t len, struct value_head *head)
{
    head->kind = kind;
    head->bytes = (struct span){ cursor->ptr, len };
    return span_advance(cursor, len);
}

static inline bool head_int(enum value_kind kind, int64_t number, struct value_head *head)
{
    head->kind = kind;
    head->i64 = number;
    return true;
}

static inline bool head_count(enum value_kind kind, uint32_t count, struct value_head *head)
{
    head->kind = kind;
    head->count = count;
    return true;
}

/* The number of `size` bytes behind a head, unsigned. */
static inline bool number_take(struct span *cursor, unsigned size, uint64_t *ret_number)
{
    const char *at = cursor->ptr;

    if (!span_advance(cursor, size)) {
        return false;
    }
    switch (size) {
    case 1:
        *ret_number = (uint8_t)*at;
        return true;
    case 2:
        *ret_number = get_be16(at);
        return true;
    case 4:
        *ret_number = get_be32(at);
        return true;
    default:
        *ret_number = get_be64(at);
        return true;
    }
}

/* Strings, binaries and extensions, whose length stands in 1, 2 or 4 bytes. */
static inline bool sized_read(struct span *cursor, enum value_kind kind, unsigned size, size_t extra,
                              struct value_head *head)
{
    uint64_t len;

    return number_take(cursor, size, &len) && head_bytes(cursor, kind, (size_t)len + extra, head);
}

static inline bool uint_read(struct span *cursor, unsigned size, struct value_head *head)
{
    uint64_t number;

    if (!number_take(cursor, size, &number)) {
        return false;
    }
    if (number > INT64_MAX) {
        head->kind = VALUE_UINT;
        head->u64 = number;
        return true;
    }
    return head_int(VALUE_INT, (int64_t)number, head);
}

static inline bool int_read(struct span *cursor, unsigned size, struct value_head *head)
{
    uint64_t number;

    if (!number_take(cursor, size, &number)) {
        return false;
    }
    switch (size) {
    case 1:
        return head_int(VALUE_INT, (int8_t)number, head);
    case 2:
        return head_int(VALUE_INT, (int16_t)number, head);
    case 4:
        return head_int(VALUE_INT, (int32_t)number, head);
    default:
        return head_int(VALUE_INT, (int64_t)number, head);
    }
}

static inline bool float_read(struct span *cursor, unsigned size, struct value_head *head)
{
    uint64_t bits;
    uint32_t bits32;
    float single;

    if (!number_take(cursor, size, &bits)) {
        return false;
    }
    head->kind = VALUE_FLOAT;
    if (size == sizeof(single)) {
        bits32 = (uint32_t)bits;
        memcpy(&single, &bits32, sizeof(single));
        head->f64 = (double)single;
    } else {
        memcpy(&head->f64, &bits, sizeof(head->f64));
    }
    return true;
}

static inline bool container_read(struct span *cursor, enum value_kind kind, unsigned size, struct value_head *head)
{
    uint64_t count;

    return number_take(cursor, size, &count) && head_count(kind, (uint32_t)count, head);
}

/* Heads 0xc0 to 0xdf: everything whose size does not fit the head itself. */
static inline bool wide_head_read(struct span *cursor, uint8_t byte, struct value_head *head)
{
    switch (byte) {
    case 0xc0:
        head->kind = VALUE_NIL;
        return true;
    case 0xc2:
    case 0xc3:
        head->kind = VALUE_BOOL;
        head->boolean = byte == 0xc3;
        return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return sized_read(cursor, VALUE_BIN, 1U << (byte - 0xc4), 0, head);
    case 0xc7:
    case 0xc8:
    case 0xc9: /* one byte of type behind the length */
        return sized_read(cursor, VALUE_EXT, 1U << (byte - 0xc7), 1, head);
    case 0xca:
        return float_read(cursor, 4, head);
    case 0xcb:
        return float_read(cursor, 8, head);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return uint_read(cursor, 1U << (byte - 0xcc), head);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return int_read(cursor, 1U << (byte - 0xd0), head);
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return head_bytes(cursor, VALUE_EXT, ((size_t)1 << (byte - 0xd4)) + 1, head);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return sized_read(cursor, VALUE_STR, 1U << (byte - 0xd9), 0, head);
    case 0xdc:
    case 0xdd:
        return container_read(cursor, VALUE_ARRAY, 2U << (byte - 0xdc), head);
    case 0xde:
    case 0xdf:
        return container_read(cursor, VALUE_MAP, 2U << (byte - 0xde), head);
    default: /* 0xc1 is never used */
        return false;
    }
}

static inline bool value_head_read(struct span *cursor, struct value_head *head)
{
    uint8_t byte;

    if (cursor->len == 0) {
        return false;
    }
    byte = (uint8_t)*cursor->ptr;
    cursor->ptr++;
    cursor->len--;
    if (byte < 0x80) {
        return head_int(VALUE_INT, byte, head);
    }
    if (byte < 0x90) {
        return head_count(VALUE_MAP, byte & 0x0fU, head);
    }
    if (byte < 0xa0) {
        return head_count(VALUE_ARRAY, byte & 0x0fU, head);
    }
    if (byte < 0xc0) {
        return head_bytes(cursor, VALUE_STR, byte & 0x1fU, head);
    }
    if (byte >= 0xe0) {
        return head_int(VALUE_INT, (int8_t)byte, head);
    }
    return wide_head_read(cursor, byte, head);
}

#endif
