#include "bus/tap_shown.h"

#include "bus/value.h"

static const struct span nothing = { NULL, 0 };

/* --- writing ------------------------------------------------------------------------------ */

static void handled_pack(const struct tap_record *self, struct pack *pack)
{
    pack_key(pack, "handled");
    pack_map_begin(pack);
    pack_kv_str(pack, "by", self->address);
    pack_kv_f64(pack, "waitMs", (double)self->waited_us / 1000.0);
    pack_kv_f64(pack, "handlerMs", (double)self->busy_us / 1000.0);
    pack_map_end(pack);
}

void tap_shown_pack(const struct tap_record *self, struct pack *pack)
{
    const struct envelope *env = &self->env;

    pack_kv_f64(pack, "ts", (double)self->ts_us / 1000.0);
    pack_kv_text(pack, "kind", envelope_kind_name(env->kind));
    pack_kv_str(pack, "from", env->from);
    pack_kv_str(pack, "to", env->to);
    pack_kv_str(pack, env->kind == ENVELOPE_PUBLISH ? "topic" : "method", env->name);
    pack_kv_text(pack, "trace", self->trace[0] ? self->trace : NULL);
    pack_kv_u64(pack, "bytes", self->bytes);
    pack_kv_u64(pack, "id", env->id);
    if (env->corr) {
        pack_kv_u64(pack, "corr", env->corr);
    }
    if (env->via.len) {
        pack_kv_str(pack, "via", env->via);
    }
    if (env->left_ms != UINT32_MAX && env->kind == ENVELOPE_CALL) {
        pack_kv_u64(pack, "leftMs", env->left_ms);
    }
    if (self->has_latency) {
        pack_kv_f64(pack, "latencyMs", self->latency_ms);
    }
    if (self->session.len) {
        pack_kv_str(pack, "session", self->session);
    }
    if (env->principal.len) {
        pack_kv_str(pack, "principal", env->principal);
    }
    pack_kv_str(pack, "host", self->host);
    if (self->note.len) {
        pack_kv_str(pack, "undelivered", self->note);
    }
    if (self->is_handled) {
        handled_pack(self, pack);
    }
    if (self->body.len) {
        pack_kv_raw(pack, "body", self->body);
    }
}

/* Who saw it, when that does not follow from the rest. */
static bool is_seen_by_another(const struct tap_record *self)
{
    return !self->is_handled && !span_is(self->address, envelope_sender(&self->env));
}

void tap_shown_pack_rest(const struct tap_record *self, struct pack *pack)
{
    const struct envelope *env = &self->env;

    pack_kv_u64(pack, "incarnation", env->incarnation);
    if (env->flags) {
        pack_kv_u64(pack, "flags", env->flags);
    }
    if (env->asker) {
        pack_kv_u64(pack, "asker", env->asker);
    }
    if (is_seen_by_another(self)) {
        pack_kv_str(pack, "seenBy", self->address);
    }
}

/* --- reading ------------------------------------------------------------------------------ */

static bool kind_read(struct span name, enum envelope_kind *ret_kind)
{
    for (int kind = ENVELOPE_CALL; kind <= ENVELOPE_KIND_MAX; kind++) {
        if (span_is_text(name, envelope_kind_name((enum envelope_kind)kind))) {
            *ret_kind = (enum envelope_kind)kind;
            return true;
        }
    }
    return false;
}

static uint64_t u64_in(struct span map, const char *key, uint64_t fallback)
{
    struct span value = value_get(map, key);
    struct value_head head;

    if (!value.len || !value_read(&value, &head)) {
        return fallback;
    }
    return head.kind == VALUE_UINT ? head.u64 : head.kind == VALUE_INT && head.i64 >= 0 ? (uint64_t)head.i64 : fallback;
}

static uint32_t u32_in(struct span map, const char *key, uint32_t fallback)
{
    uint64_t number = u64_in(map, key, fallback);

    return number <= UINT32_MAX ? (uint32_t)number : fallback;
}

/* JSON has one sort of numbers. Anything that is no time of a message counts as 0. */
static double number_in(struct span map, const char *key)
{
    struct span value = value_get(map, key);
    double number = value_f64(value, (double)value_i64(value, 0));

    return number > 0 && number < 4e15 ? number : 0;
}

/* `limit` with a terminator, as an envelope counts. */
static bool text_in(struct span map, const char *key, size_t limit, struct span *ret_text)
{
    *ret_text = value_str(value_get(map, key), nothing);
    return ret_text->len < limit;
}

static bool hex_read(struct span text, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        number = number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_number = number;
    return true;
}

static bool trace_read(struct span text, struct trace_id *ret_trace)
{
    if (text.len == 0) {
        return true;
    }
    return text.len == TAP_TRACE_TEXT - 1 && hex_read((struct span){ text.ptr, 16 }, &ret_trace->hi) &&
           hex_read((struct span){ text.ptr + 16, 16 }, &ret_trace->lo);
}

static bool envelope_read(struct span map, struct envelope *env)
{
    const char *name = value_get(map, "topic").len ? "topic" : "method";

    env->id = u64_in(map, "id", 0);
    env->corr = u64_in(map, "corr", 0);
    env->left_ms = u32_in(map, "leftMs", UINT32_MAX);
    env->incarnation = u32_in(map, "incarnation", 0);
    env->flags = u32_in(map, "flags", 0);
    env->asker = u32_in(map, "asker", 0);
    return kind_read(value_str(value_get(map, "kind"), nothing), &env->kind) &&
           text_in(map, "from", ACTOR_ADDRESS_MAX, &env->from) && env->from.len &&
           text_in(map, "to", ACTOR_ADDRESS_MAX, &env->to) && text_in(map, name, ENVELOPE_NAME_MAX, &env->name) &&
           text_in(map, "principal", ACTOR_PRINCIPAL_MAX, &env->principal) &&
           text_in(map, "via", ACTOR_ADDRESS_MAX, &env->via) &&
           trace_read(value_str(value_get(map, "trace"), nothing), &env->trace);
}

static bool handled_read(struct span map, struct tap_record *record)
{
    struct span handled = value_get(map, "handled");

    record->is_handled = value_kind_of(handled) == VALUE_MAP;
    if (!record->is_handled) {
        return text_in(map, "seenBy", ACTOR_ADDRESS_MAX, &record->address);
    }
    record->waited_us = (uint64_t)(number_in(handled, "waitMs") * 1000 + 0.5);
    record->busy_us = (uint64_t)(number_in(handled, "handlerMs") * 1000 + 0.5);
    return text_in(handled, "by", ACTOR_ADDRESS_MAX, &record->address);
}

bool tap_shown_read(struct span map, struct tap_record *ret_record)
{
    struct span latency = value_get(map, "latencyMs");

    *ret_record = (struct tap_record){ .ts_us = (int64_t)(number_in(map, "ts") * 1000 + 0.5) };
    if (!envelope_read(map, &ret_record->env) || !handled_read(map, ret_record)) {
        return false;
    }
    if (!ret_record->address.len) {
        ret_record->address = envelope_sender(&ret_record->env);
    }
    ret_record->bytes = u64_in(map, "bytes", 0);
    ret_record->host = value_str(value_get(map, "host"), nothing);
    ret_record->note = value_str(value_get(map, "undelivered"), nothing);
    ret_record->session = value_str(value_get(map, "session"), nothing);
    ret_record->body = value_get(map, "body");
    ret_record->has_latency = latency.len > 0;
    ret_record->latency_ms = number_in(map, "latencyMs");
    tap_subject_trace(ret_record->env.trace, ret_record->trace);
    return true;
}
