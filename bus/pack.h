/*
 * pack: a msgpack writer over one growable buffer, with maps and arrays whose length
 * is filled in when they are closed.
 *
 * Errors are sticky: after the first one every call does nothing, and pack_error()
 * tells. So a builder writes everything and checks once.
 */
#ifndef BUS_PACK_H
#define BUS_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define PACK_DEPTH_MAX 64

struct pack {
    char *data; /* owned */
    size_t len;
    size_t cap;
    size_t limit; /* most bytes it may grow to */
    int fault;
    bool is_secret; /* what it held is wiped before the memory goes or is used again */
    uint32_t depth;
    struct {
        size_t at;      /* offset of the 5-byte (map32, array32) head */
        uint32_t count; /* entries so far */
    } open[PACK_DEPTH_MAX];
};

/* `limit` bounds the buffer in bytes; 0 means 64 MiB. */
void pack_init(struct pack *self, size_t limit);
/* The same for what holds secrets. */
void pack_init_secret(struct pack *self, size_t limit);
void pack_deinit(struct pack *self);
/* Empties it and keeps the memory. */
void pack_reset(struct pack *self);
/* The same; what is written from now on is a secret, or is none any more. */
void pack_reset_secret(struct pack *self, bool is_secret);
/* 0, or the first fault: -E2BIG over the limit, -ENOMEM, -EPROTO unbalanced. */
int pack_error(const struct pack *self);
struct span pack_span(const struct pack *self);

/* Containers opened here count their own elements. In a map, each pack_key is
 * followed by exactly one value. */
void pack_map_begin(struct pack *self);
void pack_map_end(struct pack *self);
void pack_array_begin(struct pack *self);
void pack_array_end(struct pack *self);
void pack_key(struct pack *self, const char *key);
void pack_key_span(struct pack *self, struct span key);

void pack_nil(struct pack *self);
void pack_bool(struct pack *self, bool value);
void pack_i64(struct pack *self, int64_t value);
void pack_u64(struct pack *self, uint64_t value);
void pack_f64(struct pack *self, double value);
void pack_str(struct pack *self, struct span value);
void pack_text(struct pack *self, const char *value); /* NULL packs nil */
void pack_bin(struct pack *self, struct span value);
/* Appends one already packed value (of bytes that passed wire_check). */
void pack_raw(struct pack *self, struct span value);

/* key + value in one call */
void pack_kv_bool(struct pack *self, const char *key, bool value);
void pack_kv_i64(struct pack *self, const char *key, int64_t value);
void pack_kv_u64(struct pack *self, const char *key, uint64_t value);
void pack_kv_f64(struct pack *self, const char *key, double value);
void pack_kv_str(struct pack *self, const char *key, struct span value);
void pack_kv_text(struct pack *self, const char *key, const char *value);
void pack_kv_raw(struct pack *self, const char *key, struct span value);

#endif
