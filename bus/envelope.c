#include "bus/envelope.h"

#include <assert.h>
#include <string.h>

/* --- writing: heads are written at their shortest common form ---------------------- */

static uint8_t *u32_put(uint8_t *at, uint32_t value)
{
    if (value < 0x80) {
        *at = (uint8_t)value;
        return at + 1;
    }
    at[0] = 0xce;
    at[1] = (uint8_t)(value >> 24);
    at[2] = (uint8_t)(value >> 16);
    at[3] = (uint8_t)(value >> 8);
    at[4] = (uint8_t)value;
    return at + 5;
}

static uint8_t *u64_be(uint8_t *at, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

static uint8_t *u64_put(uint8_t *at, uint64_t value)
{
    if (value <= UINT32_MAX) {
        return u32_put(at, (uint32_t)value);
    }
    *at = 0xcf;
    return u64_be(at + 1, value);
}

static uint8_t *str_put(uint8_t *at, struct span text)
{
    assert(text.len < ACTOR_ADDRESS_MAX);
    if (text.len < 32) {
        *at++ = (uint8_t)(0xa0 | text.len);
    } else {
        *at++ = 0xd9;
        *at++ = (uint8_t)text.len;
    }
    if (text.len) {
        memcpy(at, text.ptr, text.len);
    }
    return at + text.len;
}

static uint8_t *trace_put(uint8_t *at, struct trace_id trace)
{
    *at++ = 0xc4;
    *at++ = 16;
    at = u64_be(at, trace.hi);
    return u64_be(at, trace.lo);
}

size_t envelope_encode(const struct envelope *self, uint8_t *out)
{
    uint8_t *at = out;

    *at++ = 0x90 | ENVELOPE_FIELDS;
    at = u32_put(at, ENVELOPE_VERSION);
    at = u32_put(at, (uint32_t)self->kind);
    at = u64_put(at, self->id);
    at = u64_put(at, self->corr);
    at = str_put(at, self->from);
    at = str_put(at, self->to);
    at = str_put(at, self->name);
    at = u32_put(at, self->left_ms);
    at = trace_put(at, self->trace);
    at = u32_put(at, self->flags);
    at = str_put(at, self->principal);
    at = u32_put(at, self->incarnation);
    at = str_put(at, self->via);
    at = u32_put(at, self->asker);
    return (size_t)(at - out);
}

/* --- reading ------------------------------------------------------------------------- */

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool is_bad; /* sticky, so that the caller checks once */
};

static bool need(struct reader *r, size_t n)
{
    if (r->is_bad || (size_t)(r->end - r->at) < n) {
        r->is_bad = true;
        return false;
    }
    return true;
}

static uint64_t be_get(const uint8_t *at, unsigned n)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < n; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static uint64_t uint_get(struct reader *r)
{
    if (!need(r, 1)) {
        return 0;
    }
    uint8_t head = *r->at++;
    if (head < 0x80) {
        return head;
    }
    if (head < 0xcc || head > 0xcf) {
        r->is_bad = true;
        return 0;
    }
    unsigned n = 1U << (head - 0xcc);
    if (!need(r, n)) {
        return 0;
    }
    uint64_t value = be_get(r->at, n);
    r->at += n;
    return value;
}

static uint32_t u32_get(struct reader *r)
{
    uint64_t value = uint_get(r);

    if (value > UINT32_MAX) {
        r->is_bad = true;
        return 0;
    }
    return (uint32_t)value;
}

static struct span str_get(struct reader *r, size_t limit)
{
    size_t len = 0;

    if (!need(r, 1)) {
        return (struct span){ 0 };
    }
    uint8_t head = *r->at++;
    if ((head & 0xe0) == 0xa0) {
        len = head & 0x1f;
    } else if (head == 0xd9 && need(r, 1)) {
        len = *r->at++;
    } else {
        r->is_bad = true;
    }
    if (len >= limit || !need(r, len)) {
        r->is_bad = true;
        return (struct span){ 0 };
    }
    struct span text = { (const char *)r->at, len };
    r->at += len;
    return text;
}

static struct trace_id trace_get(struct reader *r)
{
    struct trace_id trace = { 0 };

    if (!need(r, 18) || r->at[0] != 0xc4 || r->at[1] != 16) {
        r->is_bad = true;
        return trace;
    }
    trace.hi = be_get(r->at + 2, 8);
    trace.lo = be_get(r->at + 10, 8);
    r->at += 18;
    return trace;
}

bool envelope_decode(struct span bytes, struct envelope *ret_self)
{
    struct reader r = { (const uint8_t *)bytes.ptr, (const uint8_t *)bytes.ptr + bytes.len, false };

    if (!need(&r, 1) || *r.at++ != (0x90 | ENVELOPE_FIELDS) || uint_get(&r) != ENVELOPE_VERSION) {
        return false;
    }
    uint32_t kind = u32_get(&r);
    *ret_self = (struct envelope){ 0 };
    ret_self->id = uint_get(&r);
    ret_self->corr = uint_get(&r);
    ret_self->from = str_get(&r, ACTOR_ADDRESS_MAX);
    ret_self->to = str_get(&r, ACTOR_ADDRESS_MAX);
    ret_self->name = str_get(&r, ENVELOPE_NAME_MAX);
    ret_self->left_ms = u32_get(&r);
    ret_self->trace = trace_get(&r);
    ret_self->flags = u32_get(&r);
    ret_self->principal = str_get(&r, ACTOR_PRINCIPAL_MAX);
    ret_self->incarnation = u32_get(&r);
    ret_self->via = str_get(&r, ACTOR_ADDRESS_MAX);
    ret_self->asker = u32_get(&r);
    ret_self->kind = (enum envelope_kind)kind;
    return !r.is_bad && r.at == r.end && kind >= ENVELOPE_CALL && kind <= ENVELOPE_KIND_MAX && ret_self->from.len > 0;
}

const char *envelope_kind_name(enum envelope_kind kind)
{
    static const char *const names[] = {
        [ENVELOPE_CALL] = "call",     [ENVELOPE_REPLY] = "reply",     [ENVELOPE_FAIL] = "fail",
        [ENVELOPE_CAST] = "cast",     [ENVELOPE_PUBLISH] = "publish", [ENVELOPE_CHUNK] = "chunk",
        [ENVELOPE_GRANT] = "grant",   [ENVELOPE_CANCEL] = "cancel",   [ENVELOPE_FORWARDED] = "forwarded",
        [ENVELOPE_CREDIT] = "credit",
    };

    return kind >= ENVELOPE_CALL && kind <= ENVELOPE_KIND_MAX ? names[kind] : "unknown";
}
