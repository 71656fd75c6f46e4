#include "actors/otel/spans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/mem.h"

#define BUCKETS 1024U
#define NONE (-1)

void spans_init(struct spans *self, double rate)
{
    *self = (struct spans){ .rate = rate, .free = 0 };
    self->all = mem_new(SPANS_MAX * sizeof(*self->all));
    self->by_call = mem_new(BUCKETS * sizeof(*self->by_call));
    self->by_trace = mem_new(BUCKETS * sizeof(*self->by_trace));
    for (uint32_t i = 0; i < BUCKETS; i++) {
        self->by_call[i] = NONE;
        self->by_trace[i] = NONE;
    }
    for (int32_t i = 0; i < SPANS_MAX; i++) {
        self->all[i].next_call = i + 1 < SPANS_MAX ? i + 1 : NONE;
    }
}

void spans_deinit(struct spans *self)
{
    free(self->all);
    free(self->by_call);
    free(self->by_trace);
    *self = (struct spans){ .all = NULL };
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL; /* splitmix64 */
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static uint64_t call_hash(struct span from, uint64_t corr)
{
    uint64_t hash = mix(corr + 0x9e3779b97f4a7c15ULL);

    for (size_t i = 0; i < from.len; i++) {
        hash = (hash ^ (uint8_t)from.ptr[i]) * 0x100000001b3ULL;
    }
    return mix(hash);
}

static uint32_t trace_bucket(struct trace_id trace)
{
    return (uint32_t)(mix(trace.lo ^ trace.hi) % BUCKETS);
}

/* One decision for a whole trace, wherever it is made. */
static bool is_sampled(const struct spans *self, struct trace_id trace)
{
    return (double)(mix(trace.lo) >> 11) / 9007199254740992.0 < self->rate;
}

static struct span_one *call_find(struct spans *self, struct span from, uint64_t corr)
{
    int32_t at = self->by_call[call_hash(from, corr) % BUCKETS];

    while (at != NONE && (self->all[at].corr != corr || !span_is_text(from, self->all[at].from))) {
        at = self->all[at].next_call;
    }
    return at == NONE ? NULL : &self->all[at];
}

static void text_set(char *out, size_t size, struct span text)
{
    (void)snprintf(out, size, "%.*s", SPAN_FMT(text)); /* headers have the same limits */
}

/* NULL when there is no room. */
static struct span_one *call_add(struct spans *self, struct span from, const struct envelope *env)
{
    int32_t at = self->free;
    uint64_t hash = call_hash(from, env->corr);

    if (at == NONE) {
        self->dropped++;
        return NULL;
    }
    struct span_one *one = &self->all[at];
    int32_t *bucket = &self->by_call[hash % BUCKETS];
    int32_t *trace = &self->by_trace[trace_bucket(env->trace)];
    self->free = one->next_call;
    *one = (struct span_one){
        .trace = env->trace, .id = hash ? hash : 1, .corr = env->corr, .next_call = *bucket, .next_trace = *trace
    };
    text_set(one->from, sizeof(one->from), from);
    text_set(one->name, sizeof(one->name), env->name);
    *bucket = at;
    *trace = at;
    self->n++;
    return one;
}

static void unchain(struct spans *self, int32_t *head, int32_t at, bool is_trace)
{
    while (*head != at) {
        head = is_trace ? &self->all[*head].next_trace : &self->all[*head].next_call;
    }
    *head = is_trace ? self->all[at].next_trace : self->all[at].next_call;
}

static void call_drop(struct spans *self, int32_t at)
{
    struct span_one *one = &self->all[at];

    unchain(self, &self->by_call[call_hash(span_from(one->from), one->corr) % BUCKETS], at, false);
    unchain(self, &self->by_trace[trace_bucket(one->trace)], at, true);
    one->start_us = 0;
    one->end_us = 0;
    one->corr = 0;
    one->from[0] = '\0';
    one->next_call = self->free;
    self->free = at;
    self->n--;
}

void spans_see(struct spans *self, const struct envelope *env, uint64_t body_bytes, int64_t at_us, bool is_lost)
{
    bool is_answer = env->kind == ENVELOPE_REPLY || env->kind == ENVELOPE_FAIL;
    struct span asker = is_answer ? env->to : env->from;

    if ((!is_answer && env->kind != ENVELOPE_CALL) || !(env->trace.hi | env->trace.lo) || !asker.len ||
        !is_sampled(self, env->trace)) {
        return;
    }
    struct span_one *one = call_find(self, asker, env->corr);
    one = one ? one : call_add(self, asker, env);
    if (!one) {
        return;
    }
    if (is_answer) {
        one->end_us = at_us;
        one->answer_bytes = body_bytes;
        one->is_failed = env->kind == ENVELOPE_FAIL;
        text_set(one->to, sizeof(one->to), env->from);
        return;
    }
    if (!one->start_us || at_us < one->start_us) {
        one->start_us = at_us; /* of the asker's own envelope, not of one that hands the call on */
        one->request_bytes = body_bytes;
    }
    if (!one->end_us) {
        text_set(one->to, sizeof(one->to), env->to);
    }
    if (is_lost) {
        one->end_us = at_us;
        one->is_failed = true;
    }
}

/* The newest call that its asker was answering when it asked. */
static uint64_t parent_of(const struct spans *self, const struct span_one *one)
{
    const struct span_one *best = NULL;

    for (int32_t at = self->by_trace[trace_bucket(one->trace)]; at != NONE; at = self->all[at].next_trace) {
        const struct span_one *other = &self->all[at];

        if (other != one && other->trace.hi == one->trace.hi && other->trace.lo == one->trace.lo && other->start_us &&
            strcmp(other->to, one->from) == 0 && other->start_us <= one->start_us &&
            (!other->end_us || other->end_us >= one->start_us) && (!best || other->start_us > best->start_us)) {
            best = other;
        }
    }
    return best ? best->id : 0;
}

static bool is_due(const struct span_one *one, int64_t now_us)
{
    int64_t last_us = one->end_us ? one->end_us : one->start_us;

    return now_us - last_us > (one->end_us && one->start_us ? SPANS_SETTLE_US : SPANS_OPEN_US);
}

void spans_sweep(struct spans *self, int64_t now_us, spans_on_span on, void *arg)
{
    for (int32_t i = 0; i < SPANS_MAX; i++) { /* all parents first: those that go now are still there */
        struct span_one *one = &self->all[i];

        if (one->from[0] && is_due(one, now_us)) {
            one->parent = parent_of(self, one);
        }
    }
    for (int32_t i = 0; i < SPANS_MAX; i++) {
        struct span_one *one = &self->all[i];

        if (!one->from[0] || !is_due(one, now_us)) {
            continue;
        }
        if (one->start_us && one->end_us) {
            on(arg, one);
        }
        call_drop(self, i);
    }
}
