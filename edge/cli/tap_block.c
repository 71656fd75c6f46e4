#include "edge/cli/tap_block.h"

#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define SLOTS_FIRST 256U
#define BODY_DEPTH_MAX 64

enum {
    HAS_CORR = 1U << 0,
    HAS_LEFT = 1U << 1,
    HAS_FLAGS = 1U << 2,
    HAS_PRINCIPAL = 1U << 3,
    HAS_VIA = 1U << 4,
    HAS_NOTE = 1U << 5,
    HAS_SESSION = 1U << 6,
    HAS_LATENCY = 1U << 7,
    HAS_TIMES = 1U << 8,
    HAS_BODY = 1U << 9,
    HAS_ALL = (1U << 10) - 1,
};

/* --- writing ---------------------------------------------------------------------------- */

void tap_block_deinit(struct tap_block *self)
{
    text_buf_deinit(&self->texts);
    text_buf_deinit(&self->records);
    free(self->slots);
    *self = (struct tap_block){ 0 };
}

void tap_block_reset(struct tap_block *self)
{
    if (self->slots) {
        memset(self->slots, 0, self->slots_n * sizeof(*self->slots));
    }
    self->texts.len = 0;
    self->records.len = 0;
    self->texts_n = 0;
    self->records_n = 0;
    self->bytes_max = 0;
    self->bloom = (struct tap_bloom){ { 0 } };
}

size_t tap_block_len(const struct tap_block *self)
{
    return self->texts.len + self->records.len;
}

static struct tap_block_slot *slot_find(const struct tap_block *self, struct span text)
{
    size_t at = tap_bloom_hash(text) % self->slots_n;

    while (self->slots[at].number &&
           !span_is(text, (struct span){ self->texts.data + self->slots[at].at, self->slots[at].len })) {
        at = (at + 1) % self->slots_n;
    }
    return &self->slots[at];
}

/* At most half of the table is ever in use. */
static int slots_grow(struct tap_block *self)
{
    struct tap_block old = *self;

    if (self->slots_n && self->texts_n < self->slots_n / 2) {
        return 0;
    }
    self->slots_n = old.slots_n ? old.slots_n * 2 : SLOTS_FIRST;
    self->slots = calloc(self->slots_n, sizeof(*self->slots));
    if (!self->slots) {
        self->slots = old.slots;
        self->slots_n = old.slots_n;
        return FAULT(-ENOMEM);
    }
    for (size_t i = 0; i < old.slots_n; i++) {
        const struct tap_block_slot *slot = &old.slots[i];

        if (slot->number) {
            *slot_find(self, (struct span){ self->texts.data + slot->at, slot->len }) = *slot;
        }
    }
    free(old.slots);
    return 0;
}

/* The number of a text, which is put into the block unless it is there. */
static int text_number(struct tap_block *self, struct span text, uint32_t *ret_number)
{
    struct tap_block_slot *slot;
    int r = slots_grow(self);

    *ret_number = 0;
    if (r || text.len == 0) {
        return r;
    }
    slot = slot_find(self, text);
    if (!slot->number) {
        r = varint_put_bytes(&self->texts, text);
        if (r) {
            return r;
        }
        *slot = (struct tap_block_slot){ .number = ++self->texts_n,
                                         .at = (uint32_t)(self->texts.len - text.len),
                                         .len = (uint32_t)text.len };
        tap_bloom_add(&self->bloom, text);
    }
    *ret_number = slot->number;
    return 0;
}

static int text_put(struct tap_block *self, struct span text)
{
    uint32_t number;
    int r = text_number(self, text, &number);

    return r ? r : varint_put(&self->records, number);
}

static int trace_put(struct tap_block *self, const struct tap_record *record)
{
    char bytes[16];

    memcpy(bytes, &record->env.trace.hi, 8);
    memcpy(bytes + 8, &record->env.trace.lo, 8);
    if (record->trace[0]) {
        tap_bloom_add(&self->bloom, span_from(record->trace));
    }
    return text_put(self, record->trace[0] ? (struct span){ bytes, sizeof(bytes) } : (struct span){ "", 0 });
}

static unsigned mask_of(const struct tap_record *record)
{
    const struct envelope *env = &record->env;

    return (env->corr ? HAS_CORR : 0U) | (env->left_ms != UINT32_MAX ? HAS_LEFT : 0U) | (env->flags ? HAS_FLAGS : 0U) |
           (env->principal.len ? HAS_PRINCIPAL : 0U) | (env->via.len ? HAS_VIA : 0U) |
           (record->note.len ? HAS_NOTE : 0U) | (record->session.len ? HAS_SESSION : 0U) |
           (record->has_latency ? HAS_LATENCY : 0U) | (record->is_handled ? HAS_TIMES : 0U) |
           (record->body.len ? HAS_BODY : 0U);
}

static int always_put(struct tap_block *self, const struct tap_record *record)
{
    const struct envelope *env = &record->env;
    int r = varint_put(&self->records, varint_fold(record->ts_us - self->at_us));

    r = r ? r : varint_put(&self->records, (uint64_t)env->kind);
    r = r ? r : varint_put(&self->records, env->id);
    r = r ? r : text_put(self, env->from);
    r = r ? r : text_put(self, env->to);
    r = r ? r : text_put(self, env->name);
    r = r ? r : trace_put(self, record);
    r = r ? r : text_put(self, record->host);
    r = r ? r : text_put(self, record->address);
    r = r ? r : varint_put(&self->records, env->incarnation);
    return r ? r : varint_put(&self->records, record->bytes);
}

static int sometimes_put(struct tap_block *self, const struct tap_record *record, unsigned mask)
{
    const struct envelope *env = &record->env;
    int r = mask & HAS_CORR ? varint_put(&self->records, env->corr) : 0;

    r = r || !(mask & HAS_LEFT) ? r : varint_put(&self->records, env->left_ms);
    r = r || !(mask & HAS_FLAGS) ? r : varint_put(&self->records, env->flags);
    r = r || !(mask & HAS_PRINCIPAL) ? r : text_put(self, env->principal);
    r = r || !(mask & HAS_VIA) ? r : text_put(self, env->via);
    r = r || !(mask & HAS_VIA) ? r : varint_put(&self->records, env->asker);
    r = r || !(mask & HAS_NOTE) ? r : text_put(self, record->note);
    r = r || !(mask & HAS_SESSION) ? r : text_put(self, record->session);
    r = r || !(mask & HAS_LATENCY) ? r : varint_put(&self->records, (uint64_t)(record->latency_ms * 1000 + 0.5));
    r = r || !(mask & HAS_TIMES) ? r : varint_put(&self->records, record->waited_us);
    r = r || !(mask & HAS_TIMES) ? r : varint_put(&self->records, record->busy_us);
    return r || !(mask & HAS_BODY) ? r : varint_put_bytes(&self->records, record->body);
}

int tap_block_add(struct tap_block *self, const struct tap_record *record)
{
    unsigned mask = mask_of(record);
    int r;

    if (self->records_n == 0) {
        self->first_us = record->ts_us;
        self->last_us = record->ts_us;
        self->at_us = record->ts_us;
        self->base_us = record->ts_us;
    }
    tap_bloom_add(&self->bloom, span_from(envelope_kind_name(record->env.kind)));
    r = varint_put(&self->records, mask);
    r = r ? r : always_put(self, record);
    r = r ? r : sometimes_put(self, record, mask);
    self->at_us = record->ts_us;
    self->first_us = record->ts_us < self->first_us ? record->ts_us : self->first_us;
    self->last_us = record->ts_us > self->last_us ? record->ts_us : self->last_us;
    self->bytes_max = record->bytes > self->bytes_max ? record->bytes : self->bytes_max;
    self->records_n++;
    return r;
}

int tap_block_write(const struct tap_block *self, struct text_buf *out)
{
    int r = varint_put(out, varint_fold(self->base_us));

    r = r ? r : varint_put(out, self->texts_n);
    r = r ? r : text_buf_add(out, (struct span){ self->texts.data, self->texts.len });
    return r ? r : text_buf_add(out, (struct span){ self->records.data, self->records.len });
}

/* --- reading ------------------------------------------------------------------------------ */

int tap_block_open(struct span bytes, struct tap_block_reader *self)
{
    *self = (struct tap_block_reader){ .in = { .rest = bytes } };
    self->at_us = varint_unfold(varint_get(&self->in));
    self->texts_n = varint_get(&self->in);
    if (self->in.is_bad || self->texts_n > self->in.rest.len) { /* each takes a byte at least */
        self->texts_n = 0;
        return TAP_BLOCK_E_MALFORMED;
    }
    self->texts = calloc(self->texts_n + 1, sizeof(*self->texts));
    if (!self->texts) {
        return FAULT(-ENOMEM);
    }
    self->texts[0] = (struct span){ "", 0 };
    for (uint64_t i = 1; i <= self->texts_n; i++) {
        self->texts[i] = varint_get_bytes(&self->in);
    }
    return self->in.is_bad ? TAP_BLOCK_E_MALFORMED : 0;
}

void tap_block_close(struct tap_block_reader *self)
{
    free(self->texts);
    *self = (struct tap_block_reader){ 0 };
}

static uint32_t u32_get(struct tap_block_reader *self)
{
    uint64_t value = varint_get(&self->in);

    self->in.is_bad = self->in.is_bad || value > UINT32_MAX;
    return (uint32_t)value;
}

/* Shorter than `limit`, as an envelope wants it. */
static struct span text_get(struct tap_block_reader *self, size_t limit)
{
    uint64_t number = varint_get(&self->in);

    if (self->in.is_bad || number > self->texts_n || self->texts[number].len >= limit) {
        self->in.is_bad = true;
        return (struct span){ "", 0 };
    }
    return self->texts[number];
}

static void trace_get(struct tap_block_reader *self, struct tap_record *record)
{
    struct span bytes = text_get(self, 17);

    if (bytes.len == 16) {
        memcpy(&record->env.trace.hi, bytes.ptr, 8);
        memcpy(&record->env.trace.lo, bytes.ptr + 8, 8);
    } else if (bytes.len) {
        self->in.is_bad = true;
    }
    tap_subject_trace(record->env.trace, record->trace);
}

static void always_get(struct tap_block_reader *self, struct tap_record *record)
{
    struct envelope *env = &record->env;

    self->at_us = (int64_t)((uint64_t)self->at_us + (uint64_t)varint_unfold(varint_get(&self->in)));
    record->ts_us = self->at_us;
    uint32_t kind = u32_get(self);
    self->in.is_bad = self->in.is_bad || kind < ENVELOPE_CALL || kind > ENVELOPE_KIND_MAX;
    env->kind = self->in.is_bad ? ENVELOPE_CAST : (enum envelope_kind)kind;
    env->id = varint_get(&self->in);
    env->from = text_get(self, ACTOR_ADDRESS_MAX);
    env->to = text_get(self, ACTOR_ADDRESS_MAX);
    env->name = text_get(self, ENVELOPE_NAME_MAX);
    trace_get(self, record);
    record->host = text_get(self, SIZE_MAX);
    record->address = text_get(self, SIZE_MAX);
    env->incarnation = u32_get(self);
    record->bytes = varint_get(&self->in);
    self->in.is_bad = self->in.is_bad || env->from.len == 0;
}

static void body_get(struct tap_block_reader *self, struct tap_record *record)
{
    record->body = varint_get_bytes(&self->in);
    if (!self->in.is_bad && !wire_check(record->body.ptr, record->body.len, BODY_DEPTH_MAX)) {
        self->in.is_bad = true;
    }
}

static void sometimes_get(struct tap_block_reader *self, struct tap_record *record, uint64_t mask)
{
    struct envelope *env = &record->env;

    env->corr = mask & HAS_CORR ? varint_get(&self->in) : 0;
    env->left_ms = mask & HAS_LEFT ? u32_get(self) : UINT32_MAX;
    env->flags = mask & HAS_FLAGS ? u32_get(self) : 0;
    env->principal = mask & HAS_PRINCIPAL ? text_get(self, ACTOR_PRINCIPAL_MAX) : self->texts[0];
    env->via = mask & HAS_VIA ? text_get(self, ACTOR_ADDRESS_MAX) : self->texts[0];
    env->asker = mask & HAS_VIA ? u32_get(self) : 0;
    if (mask & HAS_NOTE) {
        record->note = text_get(self, SIZE_MAX);
    }
    if (mask & HAS_SESSION) {
        record->session = text_get(self, SIZE_MAX);
    }
    if (mask & HAS_LATENCY) {
        record->has_latency = true;
        record->latency_ms = (double)varint_get(&self->in) / 1000.0;
    }
    if (mask & HAS_TIMES) {
        record->is_handled = true;
        record->waited_us = varint_get(&self->in);
        record->busy_us = varint_get(&self->in);
    }
    if (mask & HAS_BODY) {
        body_get(self, record);
    }
}

int tap_block_next(struct tap_block_reader *self, struct tap_record *ret_record)
{
    struct tap_record record = { 0 };
    uint64_t mask;

    if (self->in.is_bad || !self->texts) {
        return TAP_BLOCK_E_MALFORMED;
    }
    if (self->in.rest.len == 0) {
        return TAP_BLOCK_E_END;
    }
    mask = varint_get(&self->in);
    self->in.is_bad = self->in.is_bad || mask & ~(uint64_t)HAS_ALL;
    always_get(self, &record);
    sometimes_get(self, &record, mask);
    if (self->in.is_bad) {
        return TAP_BLOCK_E_MALFORMED;
    }
    *ret_record = record;
    return 0;
}
