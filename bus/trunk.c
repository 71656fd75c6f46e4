#include "bus/trunk.h"

#include <stdio.h>
#include <string.h>

#include "bus/value.h"

#define BODY_DEPTH 2

/* --- the head ---------------------------------------------------------------------------- */

static void u64_put(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof(value));
}

static uint64_t u64_get(const char *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return __builtin_bswap64(value);
}

void trunk_head_encode(const struct trunk_head *self, uint8_t out[TRUNK_HEAD_LEN])
{
    out[0] = (uint8_t)self->kind;
    out[1] = 0;
    u64_put(out + 2, self->number);
    u64_put(out + 10, self->seen);
}

bool trunk_head_decode(struct span bytes, struct trunk_head *ret_head)
{
    if (bytes.len != TRUNK_HEAD_LEN || bytes.ptr[0] < TRUNK_HELLO || bytes.ptr[0] > TRUNK_KIND_MAX || bytes.ptr[1]) {
        return false;
    }
    *ret_head = (struct trunk_head){ .kind = (enum trunk_kind)bytes.ptr[0],
                                     .number = u64_get(bytes.ptr + 2),
                                     .seen = u64_get(bytes.ptr + 10) };
    return (ret_head->number != 0) == (ret_head->kind == TRUNK_DATA);
}

/* --- the bodies -------------------------------------------------------------------------- */

void trunk_hello_pack(const struct trunk_hello *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_u64(out, "least", self->least);
    pack_kv_u64(out, "most", self->most);
    pack_kv_text(out, "host", self->host);
    pack_kv_u64(out, "session", self->session);
    pack_kv_u64(out, "seen", self->seen);
    pack_map_end(out);
}

void trunk_welcome_pack(const struct trunk_welcome *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_u64(out, "wire", self->wire);
    pack_kv_u64(out, "incarnation", self->incarnation);
    pack_kv_u64(out, "session", self->session);
    pack_kv_u64(out, "seen", self->seen);
    pack_map_end(out);
}

void trunk_refused_pack(const struct trunk_refused *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "reason", self->reason);
    pack_kv_bool(out, "final", self->is_final);
    pack_map_end(out);
}

static bool body_check(struct span body)
{
    return body.len <= TRUNK_BODY_MAX && wire_check(body.ptr, body.len, BODY_DEPTH) && value_kind_of(body) == VALUE_MAP;
}

/* A whole number from 0 to `most`; false when the key has none. Sessions fit int64_t. */
static bool number_read(struct span body, const char *key, uint64_t most, uint64_t *ret_number)
{
    int64_t number = value_i64(value_get(body, key), -1);

    *ret_number = (uint64_t)number;
    return number >= 0 && (uint64_t)number <= most;
}

static bool text_read(struct span body, const char *key, char *out, size_t cap)
{
    struct span text = value_str(value_get(body, key), (struct span){ "", 0 });

    if (text.len == 0 || text.len >= cap || memchr(text.ptr, '\0', text.len)) {
        return false;
    }
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

bool trunk_hello_read(struct span body, struct trunk_hello *ret_hello)
{
    uint64_t least;
    uint64_t most;

    *ret_hello = (struct trunk_hello){ 0 };
    if (!body_check(body) || !number_read(body, "least", UINT32_MAX, &least) ||
        !number_read(body, "most", UINT32_MAX, &most) ||
        !number_read(body, "session", INT64_MAX, &ret_hello->session) ||
        !number_read(body, "seen", INT64_MAX, &ret_hello->seen)) {
        return false;
    }
    ret_hello->least = (uint32_t)least;
    ret_hello->most = (uint32_t)most;
    return least > 0 && least <= most && text_read(body, "host", ret_hello->host, sizeof(ret_hello->host));
}

bool trunk_welcome_read(struct span body, struct trunk_welcome *ret_welcome)
{
    uint64_t wire;
    uint64_t incarnation;

    *ret_welcome = (struct trunk_welcome){ 0 };
    if (!body_check(body) || !number_read(body, "wire", UINT32_MAX, &wire) ||
        !number_read(body, "incarnation", UINT32_MAX, &incarnation) ||
        !number_read(body, "session", INT64_MAX, &ret_welcome->session) ||
        !number_read(body, "seen", INT64_MAX, &ret_welcome->seen)) {
        return false;
    }
    ret_welcome->wire = (uint32_t)wire;
    ret_welcome->incarnation = (uint32_t)incarnation;
    return wire >= TRUNK_WIRE_LEAST && wire <= TRUNK_WIRE && incarnation > 0 && ret_welcome->session > 0;
}

bool trunk_refused_read(struct span body, struct trunk_refused *ret_refused)
{
    *ret_refused = (struct trunk_refused){ 0 };
    if (!body_check(body) || !text_read(body, "reason", ret_refused->reason, sizeof(ret_refused->reason))) {
        return false;
    }
    ret_refused->is_final = value_bool(value_get(body, "final"), false);
    return true;
}

uint32_t trunk_wire_choose(uint32_t least, uint32_t most, char reason[TRUNK_REASON_MAX])
{
    uint32_t wire = most < TRUNK_WIRE ? most : TRUNK_WIRE;

    if (wire >= least && wire >= TRUNK_WIRE_LEAST) {
        return wire;
    }
    (void)snprintf(
        reason, TRUNK_REASON_MAX,
        "the host speaks versions %u to %u of the bus between machines, the gateway %u to %u: run releases on "
        "both that are at most one apart",
        least, most, TRUNK_WIRE_LEAST, TRUNK_WIRE);
    return 0;
}
