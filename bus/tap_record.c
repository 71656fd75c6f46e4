#include "bus/tap_record.h"

#include "bus/base/mem.h"
#include "bus/value.h"

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
    const struct span *texts[] = { &self->host,     &self->address, &self->note,     &self->session,
                                   &self->env.from, &self->env.to,  &self->env.name, &self->env.principal,
                                   &self->env.via,  &self->body };
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        len += texts[i]->len;
    }
    struct tap_record *copy = mem_new(sizeof(*copy) + len);
    struct span *copies[] = { &copy->host,   &copy->address,  &copy->note,          &copy->session, &copy->env.from,
                              &copy->env.to, &copy->env.name, &copy->env.principal, &copy->env.via, &copy->body };
    char *at = (char *)(copy + 1);

    *copy = *self;
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
