#include "edge/cli/tap_record.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define HEAD_TEXT_MAX 640
#define CELLS_MIN 5

static const struct span nothing = { NULL, 0 };

/* --- calls ------------------------------------------------------------------------------ */

static uint64_t call_key(struct span asker, uint64_t corr)
{
    uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a */

    for (size_t i = 0; i < asker.len; i++) {
        hash = (hash ^ (unsigned char)asker.ptr[i]) * 0x100000001b3U;
    }
    hash = (hash ^ corr) * 0x9e3779b97f4a7c15U;
    return hash ? hash : 1;
}

void tap_record_pair(struct tap_record *self, struct tap_calls *calls)
{
    const struct envelope *env = &self->env;
    bool is_call = env->kind == ENVELOPE_CALL;
    uint64_t key;
    struct tap_call_slot *slot;

    if (self->is_handled || (!is_call && env->kind != ENVELOPE_REPLY && env->kind != ENVELOPE_FAIL)) {
        return;
    }
    key = call_key(is_call ? env->from : env->to, env->corr);
    slot = &calls->slots[key % TAP_CALLS_N];
    if (is_call && slot->key != key) {
        *slot = (struct tap_call_slot){ key, self->ts_us }; /* a forward keeps the time of the first ask */
    } else if (!is_call && slot->key == key) {
        self->has_latency = true;
        self->latency_ms = (double)(self->ts_us - slot->ts_us) / 1000.0;
        slot->key = 0;
    }
}

/* --- reading ------------------------------------------------------------------------------ */

static void times_read(struct span cell, struct tap_record *record)
{
    struct value_iter it = value_iter(cell);
    struct span key;
    struct span waited;
    struct span busy;

    if (value_next(&it, &key, &waited) && value_next(&it, &key, &busy)) {
        record->is_handled = true;
        record->waited_us = (uint64_t)value_i64(waited, 0);
        record->busy_us = (uint64_t)value_i64(busy, 0);
    }
}

bool tap_record_read(struct span value, struct tap_record *record)
{
    struct value_iter it = value_iter(value);
    struct span cells[7] = { { NULL, 0 } }; /* the last two are younger than the rest */
    struct span key;
    struct span bin;
    struct value_head head;

    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        if (!value_next(&it, &key, &cells[i]) && i < CELLS_MIN) {
            return false;
        }
    }
    bin = cells[1];
    if (!value_read(&bin, &head) || head.kind != VALUE_BIN || !envelope_decode(head.bytes, &record->env)) {
        return false;
    }
    record->ts_us = value_i64(cells[0], 0);
    record->bytes = (uint64_t)value_i64(cells[2], 0);
    record->body = value_kind_of(cells[3]) == VALUE_NIL ? nothing : cells[3];
    record->note = value_str(cells[4], nothing);
    record->session = value_str(cells[5], nothing);
    times_read(cells[6], record);
    tap_subject_trace(record->env.trace, record->trace);
    return true;
}

struct tap_record *tap_record_copy(const struct tap_record *self)
{
    const struct span *texts[] = { &self->host,     &self->address,       &self->note,
                                   &self->session,  &self->env.from,      &self->env.to,
                                   &self->env.name, &self->env.principal, &self->env.via };
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        len += texts[i]->len;
    }
    struct tap_record *copy = mem_new(sizeof(*copy) + len);
    struct span *copies[] = { &copy->host,   &copy->address,  &copy->note,          &copy->session, &copy->env.from,
                              &copy->env.to, &copy->env.name, &copy->env.principal, &copy->env.via };
    char *at = (char *)(copy + 1);

    *copy = *self;
    copy->body = nothing;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i]->len) {
            memcpy(at, texts[i]->ptr, texts[i]->len);
            *copies[i] = (struct span){ at, texts[i]->len };
            at += texts[i]->len;
        }
    }
    return copy;
}

/* --- the filter's view ------------------------------------------------------------------------ */

static bool is_topic(const struct tap_record *self)
{
    return self->env.kind == ENVELOPE_PUBLISH;
}

struct tap_filter_subject tap_record_subject(const struct tap_record *self)
{
    struct tap_filter_subject subject = tap_subject(&self->env, self->bytes);

    subject.texts[TAP_FILTER_TRACE] = self->trace[0] ? span_from(self->trace) : nothing;
    subject.texts[TAP_FILTER_SESSION] = self->session;
    subject.texts[TAP_FILTER_UNDELIVERED] = self->note;
    subject.has_latency = self->has_latency;
    subject.latency_ms = self->latency_ms;
    subject.ts_ms = (double)self->ts_us / 1000.0;
    return subject;
}

/* --- lines ---------------------------------------------------------------------------------------- */

static void handled_pack(const struct tap_record *self, struct pack *pack)
{
    pack_key(pack, "handled");
    pack_map_begin(pack);
    pack_kv_str(pack, "by", self->address);
    pack_kv_f64(pack, "waitMs", (double)self->waited_us / 1000.0);
    pack_kv_f64(pack, "handlerMs", (double)self->busy_us / 1000.0);
    pack_map_end(pack);
}

int tap_record_json(const struct tap_record *self, struct text_buf *out)
{
    const struct envelope *env = &self->env;
    CLEANUP(pack_deinit) struct pack pack;
    int r;

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_f64(&pack, "ts", (double)self->ts_us / 1000.0);
    pack_kv_text(&pack, "kind", envelope_kind_name(env->kind));
    pack_kv_str(&pack, "from", env->from);
    pack_kv_str(&pack, "to", env->to);
    pack_kv_str(&pack, is_topic(self) ? "topic" : "method", env->name);
    pack_kv_text(&pack, "trace", self->trace[0] ? self->trace : NULL);
    pack_kv_u64(&pack, "bytes", self->bytes);
    pack_kv_u64(&pack, "id", env->id);
    if (env->corr) {
        pack_kv_u64(&pack, "corr", env->corr);
    }
    if (env->via.len) {
        pack_kv_str(&pack, "via", env->via);
    }
    if (env->left_ms != UINT32_MAX && env->kind == ENVELOPE_CALL) {
        pack_kv_u64(&pack, "leftMs", env->left_ms);
    }
    if (self->has_latency) {
        pack_kv_f64(&pack, "latencyMs", self->latency_ms);
    }
    if (self->session.len) {
        pack_kv_str(&pack, "session", self->session);
    }
    if (env->principal.len) {
        pack_kv_str(&pack, "principal", env->principal);
    }
    pack_kv_str(&pack, "host", self->host);
    if (self->note.len) {
        pack_kv_str(&pack, "undelivered", self->note);
    }
    if (self->is_handled) {
        handled_pack(self, &pack);
    }
    if (self->body.len) {
        pack_kv_raw(&pack, "body", self->body);
    }
    pack_map_end(&pack);
    r = pack_error(&pack);
    r = r ? r : json_from_value(pack_span(&pack), out);
    return r ? r : text_buf_add(out, SPAN_LIT("\n"));
}

static int handled_text(const struct tap_record *self, struct text_buf *out)
{
    char text[ACTOR_ADDRESS_MAX + 96];
    int len = 0;

    if (self->is_handled) {
        len = snprintf(text, sizeof(text), "  handled by %.*s: waited %.3f ms, took %.3f ms",
                       (int)(self->address.len < ACTOR_ADDRESS_MAX ? self->address.len : ACTOR_ADDRESS_MAX),
                       self->address.ptr, (double)self->waited_us / 1000.0, (double)self->busy_us / 1000.0);
    }
    return len > 0 ? text_buf_add(out, (struct span){ text, (size_t)len }) : 0;
}

int tap_record_text(const struct tap_record *self, struct text_buf *out)
{
    const struct envelope *env = &self->env;
    time_t seconds = (time_t)(self->ts_us / 1000000);
    char latency[32] = "";
    char head[HEAD_TEXT_MAX];
    struct tm local = { 0 };
    int len;
    int r;

    (void)localtime_r(&seconds, &local);
    if (self->has_latency) {
        (void)snprintf(latency, sizeof(latency), " %.2f ms", self->latency_ms);
    }
    len = snprintf(head, sizeof(head), "%02d:%02d:%02d.%06d %-7s %.*s -> %.*s  %.*s  %llu B%s%s%.*s", local.tm_hour,
                   local.tm_min, local.tm_sec, (int)(self->ts_us % 1000000), envelope_kind_name(env->kind),
                   SPAN_FMT(env->from), SPAN_FMT(env->to), SPAN_FMT(env->name), (unsigned long long)self->bytes,
                   latency, self->note.len ? "  not delivered: " : "",
                   (int)(self->note.len < 100 ? self->note.len : 100), self->note.len ? self->note.ptr : "");
    if (len < 0) {
        return -EINVAL;
    }
    r = text_buf_add(out, (struct span){ head, (size_t)len < sizeof(head) ? (size_t)len : sizeof(head) - 1 });
    r = r ? r : handled_text(self, out);
    if (r == 0 && self->body.len) {
        r = text_buf_add(out, SPAN_LIT("  "));
        r = r ? r : json_from_value(self->body, out);
    }
    return r ? r : text_buf_add(out, SPAN_LIT("\n"));
}
