/*
 * value: reads raw msgpack without building objects.
 *
 * Every function takes bytes that passed wire_check (or that this process packed), so
 * lengths are true. Spans returned point into the bytes given.
 */
#ifndef BUS_VALUE_H
#define BUS_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

enum value_kind {
    VALUE_NONE, /* empty span */
    VALUE_NIL,
    VALUE_BOOL,
    VALUE_INT,  /* fits int64_t */
    VALUE_UINT, /* above INT64_MAX */
    VALUE_FLOAT,
    VALUE_STR,
    VALUE_BIN,
    VALUE_ARRAY,
    VALUE_MAP,
    VALUE_EXT,
};

/* One decoded head. For ARRAY and MAP, `count` entries follow it. */
struct value_head {
    enum value_kind kind;
    bool boolean;
    int64_t i64;
    uint64_t u64;
    double f64;
    struct span bytes; /* STR, BIN, EXT */
    uint32_t count;    /* ARRAY: elements; MAP: pairs */
};

/*
 * Proves that `bytes` hold exactly one well-formed msgpack value nested at most `depth`
 * deep (256 at most; a scalar is 0 deep), whose claimed lengths fit in the bytes and whose
 * maps have text for keys, before anyone allocates for them (a five-byte map32 head can
 * claim 2^32 pairs).
 */
bool wire_check(const void *bytes, size_t len, unsigned depth);

/* Reads one head and moves `*cursor` behind it; for containers, to the first element.
 * False when the cursor is empty or malformed. */
bool value_read(struct span *cursor, struct value_head *ret_head);
/* Moves behind one whole value. */
bool value_skip(struct span *cursor);
/* Cuts one whole value off the cursor. */
bool value_take(struct span *cursor, struct span *ret_value);

enum value_kind value_kind_of(struct span value);

/* The value under `key` of a map; empty span when absent or not a map. */
struct span value_get(struct span map, const char *key);
struct span value_find(struct span map, struct span key);
/* The value under a dotted path, "gateway.auth.token"; keys with dots need value_get. */
struct span value_path(struct span map, const char *path);

/* Typed reads; the fallback when absent or of another type. */
struct span value_str(struct span value, struct span fallback);
int64_t value_i64(struct span value, int64_t fallback);
double value_f64(struct span value, double fallback);
bool value_bool(struct span value, bool fallback);

/*
 * Iteration: `struct value_iter it = value_iter(container);` then
 * `while (value_next(&it, &key, &item))`; key is empty for arrays. A value that is no
 * container yields nothing.
 */
struct value_iter {
    struct span rest;
    uint32_t left;
    bool is_map;
};
struct value_iter value_iter(struct span container);
bool value_next(struct value_iter *self, struct span *ret_key, struct span *ret_item);
/* Elements of an array, pairs of a map; 0 for anything else. */
uint32_t value_count(struct span container);

#endif
