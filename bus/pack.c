#include "bus/pack.h"

#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/pack_direct.h"

#define LIMIT_DEFAULT ((size_t)64 << 20)
#define CAP_FIRST 256

#define HEAD_ARRAY32 0xdd
#define HEAD_MAP32 0xdf

void pack_init(struct pack *self, size_t limit)
{
    memset(self, 0, offsetof(struct pack, open));
    self->limit = limit ? limit : LIMIT_DEFAULT;
}

void pack_init_secret(struct pack *self, size_t limit)
{
    pack_init(self, limit);
    self->is_secret = true;
}

static void wipe(struct pack *self)
{
    if (self->is_secret) {
        mem_wipe(self->data, self->cap);
    }
}

void pack_deinit(struct pack *self)
{
    wipe(self);
    free(self->data);
    self->data = NULL;
    self->len = 0;
    self->cap = 0;
}

void pack_reset(struct pack *self)
{
    wipe(self);
    self->len = 0;
    self->depth = 0;
    self->fault = 0;
}

void pack_reset_secret(struct pack *self, bool is_secret)
{
    pack_reset(self);
    self->is_secret = is_secret;
}

int pack_error(const struct pack *self)
{
    if (self->fault) {
        return self->fault;
    }
    return self->depth ? FAULT(-EPROTO) : 0;
}

struct span pack_span(const struct pack *self)
{
    return (struct span){ self->data, self->len };
}

/* Records the first fault and returns false. */
static bool refuse(struct pack *self, int fault)
{
    if (!self->fault) {
        self->fault = fault;
    }
    return false;
}

bool pack_grow(struct pack *self, size_t more)
{
    size_t cap = self->cap ? self->cap : CAP_FIRST;
    char *data;

    if (self->fault) {
        return false;
    }
    if (more > self->limit || self->len > self->limit - more) {
        return refuse(self, FAULT(-E2BIG));
    }
    while (cap < self->len + more) {
        cap *= 2;
    }
    cap = cap < self->limit ? cap : self->limit;
    data = self->is_secret ? mem_move_wiped(self->data, self->len, self->cap, cap) : realloc(self->data, cap);
    if (!data) {
        return refuse(self, FAULT(-ENOMEM));
    }
    self->data = data;
    self->cap = cap;
    return true;
}

static bool is_map(const struct pack *self, uint32_t level)
{
    return (uint8_t)self->data[self->open[level].at] == HEAD_MAP32;
}

/* In a map `count` runs over keys and values: even means that a key is due. */
bool pack_value_place(struct pack *self)
{
    uint32_t level = self->depth - 1;

    if (self->fault) {
        return false;
    }
    if (self->depth == 0) {
        return true;
    }
    if (self->open[level].count == UINT32_MAX) {
        return refuse(self, FAULT(-E2BIG));
    }
    if (is_map(self, level) && self->open[level].count % 2 == 0) {
        return refuse(self, FAULT(-EPROTO));
    }
    self->open[level].count++;
    return true;
}

static bool value_room(struct pack *self, size_t len)
{
    if (len > UINT32_MAX) {
        return refuse(self, FAULT(-E2BIG));
    }
    return pack_value_place(self) && pack_reserve(self, len + PACK_HEAD_MAX);
}

static void container_begin(struct pack *self, uint8_t head)
{
    if (!value_room(self, 0)) {
        return;
    }
    if (self->depth == PACK_DEPTH_MAX) {
        (void)refuse(self, FAULT(-E2BIG)); /* the outcome is kept */
        return;
    }
    self->open[self->depth].at = self->len;
    self->open[self->depth].count = 0;
    self->depth++;
    put_be32(self, head, 0);
}

static void container_end(struct pack *self, bool map)
{
    uint32_t count;

    if (self->fault) {
        return;
    }
    if (self->depth == 0 || is_map(self, self->depth - 1) != map) {
        (void)refuse(self, FAULT(-EPROTO)); /* the outcome is kept */
        return;
    }
    self->depth--;
    count = self->open[self->depth].count;
    if (map && count % 2) {
        (void)refuse(self, FAULT(-EPROTO)); /* the outcome is kept */
        return;
    }
    patch_be32(self, self->open[self->depth].at, map ? count / 2 : count);
}

void pack_map_begin(struct pack *self)
{
    container_begin(self, HEAD_MAP32);
}

void pack_map_end(struct pack *self)
{
    container_end(self, true);
}

void pack_array_begin(struct pack *self)
{
    container_begin(self, HEAD_ARRAY32);
}

void pack_array_end(struct pack *self)
{
    container_end(self, false);
}

void pack_key_span(struct pack *self, struct span key)
{
    uint32_t level = self->depth - 1;

    if (self->fault) {
        return;
    }
    if (self->depth == 0 || !is_map(self, level) || self->open[level].count % 2) {
        (void)refuse(self, FAULT(-EPROTO)); /* the outcome is kept */
        return;
    }
    if (key.len > UINT32_MAX || self->open[level].count >= UINT32_MAX - 1) {
        (void)refuse(self, FAULT(-E2BIG)); /* the outcome is kept */
        return;
    }
    if (!pack_reserve(self, key.len + PACK_HEAD_MAX)) {
        return;
    }
    self->open[level].count++;
    put_str_head(self, key.len);
    put_bytes(self, key);
}

void pack_key(struct pack *self, const char *key)
{
    pack_key_span(self, span_from(key));
}

void pack_nil(struct pack *self)
{
    if (value_room(self, 0)) {
        put_byte(self, 0xc0);
    }
}

void pack_bool(struct pack *self, bool value)
{
    if (value_room(self, 0)) {
        put_byte(self, value ? 0xc3 : 0xc2);
    }
}

void pack_i64(struct pack *self, int64_t value)
{
    if (value_room(self, 0)) {
        put_i64(self, value);
    }
}

void pack_u64(struct pack *self, uint64_t value)
{
    if (value_room(self, 0)) {
        put_u64(self, value);
    }
}

void pack_f64(struct pack *self, double value)
{
    if (value_room(self, 0)) {
        put_f64(self, value);
    }
}

void pack_str(struct pack *self, struct span value)
{
    if (value_room(self, value.len)) {
        put_str_head(self, value.len);
        put_bytes(self, value);
    }
}

void pack_text(struct pack *self, const char *value)
{
    if (value) {
        pack_str(self, span_from(value));
    } else {
        pack_nil(self);
    }
}

void pack_bin(struct pack *self, struct span value)
{
    if (value_room(self, value.len)) {
        put_bin_head(self, value.len);
        put_bytes(self, value);
    }
}

void pack_raw(struct pack *self, struct span value)
{
    if (value.len == 0) {
        (void)refuse(self, FAULT(-EPROTO)); /* no value would leave its key alone */
    } else if (value_room(self, value.len)) {
        put_bytes(self, value);
    }
}

void pack_kv_bool(struct pack *self, const char *key, bool value)
{
    pack_key(self, key);
    pack_bool(self, value);
}

void pack_kv_i64(struct pack *self, const char *key, int64_t value)
{
    pack_key(self, key);
    pack_i64(self, value);
}

void pack_kv_u64(struct pack *self, const char *key, uint64_t value)
{
    pack_key(self, key);
    pack_u64(self, value);
}

void pack_kv_f64(struct pack *self, const char *key, double value)
{
    pack_key(self, key);
    pack_f64(self, value);
}

void pack_kv_str(struct pack *self, const char *key, struct span value)
{
    pack_key(self, key);
    pack_str(self, value);
}

void pack_kv_text(struct pack *self, const char *key, const char *value)
{
    pack_key(self, key);
    pack_text(self, value);
}

void pack_kv_raw(struct pack *self, const char *key, struct span value)
{
    pack_key(self, key);
    pack_raw(self, value);
}
