#include "bus/trunk.h"

#include <stdio.h>
#include <stdlib.h>
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

/* --- versions ---------------------------------------------------------------------------- */

const struct trunk_range trunk_range_all = { TRUNK_WIRE_LEAST, TRUNK_WIRE };

static bool is_range(const struct trunk_range *range)
{
    return range->least > 0 && range->least <= range->most;
}

static bool version_read(const char *text, const char **ret_end, uint32_t *ret_version)
{
    char *end;
    unsigned long version = strtoul(text, &end, 10);

    *ret_end = end;
    *ret_version = (uint32_t)version;
    return text[0] >= '0' && text[0] <= '9' && version >= TRUNK_WIRE_LEAST && version <= TRUNK_WIRE;
}

bool trunk_range_read(const char *text, struct trunk_range *ret_range)
{
    struct trunk_range range;
    const char *end;

    if (!version_read(text, &end, &range.least)) {
        return false;
    }
    range.most = range.least;
    if (*end == '-' && !version_read(end + 1, &end, &range.most)) {
        return false;
    }
    if (*end || !is_range(&range)) {
        return false;
    }
    *ret_range = range;
    return true;
}

uint32_t trunk_wire_choose(const struct trunk_range *gateway, const struct trunk_range *host,
                           char reason[TRUNK_REASON_MAX])
{
    uint32_t wire = host->most < gateway->most ? host->most : gateway->most;

    if (wire >= host->least && wire >= gateway->least) {
        return wire;
    }
    (void)snprintf(reason, TRUNK_REASON_MAX,
                   "the host speaks versions %u to %u of the bus between machines, the gateway %u to %u: update "
                   "OpenClaw on the %s; releases that are at most one apart work together",
                   host->least, host->most, gateway->least, gateway->most,
                   host->most < gateway->least ? "host's machine" : "gateway's machine");
    return 0;
}

/* --- the bodies -------------------------------------------------------------------------- */

static void release_pack(const char *release, struct pack *out)
{
    if (release[0]) {
        pack_kv_text(out, "release", release);
    }
}

static void range_pack(const struct trunk_range *range, struct pack *out)
{
    if (range->least) {
        pack_kv_u64(out, "least", range->least);
        pack_kv_u64(out, "most", range->most);
    }
}

void trunk_hello_pack(const struct trunk_hello *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_u64(out, "least", self->speaks.least);
    pack_kv_u64(out, "most", self->speaks.most);
    pack_kv_text(out, "host", self->host);
    pack_kv_u64(out, "session", self->session);
    pack_kv_u64(out, "seen", self->seen);
    release_pack(self->release, out);
    if (self->actors[0]) {
        pack_kv_text(out, "actors", self->actors);
    }
    pack_map_end(out);
}

void trunk_welcome_pack(const struct trunk_welcome *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_u64(out, "wire", self->wire);
    pack_kv_u64(out, "incarnation", self->incarnation);
    pack_kv_u64(out, "session", self->session);
    pack_kv_u64(out, "seen", self->seen);
    release_pack(self->release, out);
    pack_map_end(out);
}

void trunk_refused_pack(const struct trunk_refused *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "reason", self->reason);
    pack_kv_bool(out, "final", self->is_final);
    pack_kv_u64(out, "code", self->code);
    range_pack(&self->speaks, out);
    pack_map_end(out);
}

void trunk_hangs_pack(const struct trunk_hangs *self, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "actor", self->actor);
    pack_kv_bool(out, "on", self->is_on);
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

static bool range_read(struct span body, struct trunk_range *ret_range)
{
    uint64_t least;
    uint64_t most;

    if (!number_read(body, "least", UINT32_MAX, &least) || !number_read(body, "most", UINT32_MAX, &most)) {
        return false;
    }
    *ret_range = (struct trunk_range){ (uint32_t)least, (uint32_t)most };
    return is_range(ret_range);
}

/* For people, who find it in logs among other words; one that is no name of a release says nothing. */
static void release_read(struct span body, char out[TRUNK_RELEASE_MAX])
{
    static const char allowed[] = "0123456789.-+_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    if (!text_read(body, "release", out, TRUNK_RELEASE_MAX) || out[strspn(out, allowed)]) {
        out[0] = '\0';
    }
}

bool trunk_hello_read(struct span body, struct trunk_hello *ret_hello)
{
    *ret_hello = (struct trunk_hello){ 0 };
    if (!body_check(body) || !range_read(body, &ret_hello->speaks) ||
        !number_read(body, "session", INT64_MAX, &ret_hello->session) ||
        !number_read(body, "seen", INT64_MAX, &ret_hello->seen)) {
        return false;
    }
    release_read(body, ret_hello->release);
    if (value_get(body, "actors").len && !text_read(body, "actors", ret_hello->actors, sizeof(ret_hello->actors))) {
        return false;
    }
    return text_read(body, "host", ret_hello->host, sizeof(ret_hello->host));
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
    release_read(body, ret_welcome->release);
    return wire >= TRUNK_WIRE_LEAST && wire <= TRUNK_WIRE && incarnation > 0 && ret_welcome->session > 0;
}

bool trunk_refused_read(struct span body, struct trunk_refused *ret_refused)
{
    uint64_t code;

    *ret_refused = (struct trunk_refused){ 0 };
    if (!body_check(body) || !text_read(body, "reason", ret_refused->reason, sizeof(ret_refused->reason))) {
        return false;
    }
    ret_refused->is_final = value_bool(value_get(body, "final"), false);
    if (number_read(body, "code", TRUNK_NO_MAX, &code)) {
        ret_refused->code = (enum trunk_no)code;
    }
    if (!range_read(body, &ret_refused->speaks)) {
        ret_refused->speaks = (struct trunk_range){ 0, 0 };
    }
    return true;
}

bool trunk_hangs_read(struct span body, struct trunk_hangs *ret_hangs)
{
    *ret_hangs = (struct trunk_hangs){ .actor = "" };
    if (!body_check(body) || !text_read(body, "actor", ret_hangs->actor, sizeof(ret_hangs->actor))) {
        return false;
    }
    ret_hangs->is_on = value_bool(value_get(body, "on"), false);
    return true;
}
