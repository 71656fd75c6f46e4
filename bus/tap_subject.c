#include "bus/tap_subject.h"

static char *hex_put(char *at, uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        *at++ = "0123456789abcdef"[value >> shift & 15];
    }
    return at;
}

void tap_subject_trace(struct trace_id trace, char out[TAP_TRACE_TEXT])
{
    char *at = out;

    if (trace.hi || trace.lo) {
        at = hex_put(at, trace.hi);
        at = hex_put(at, trace.lo);
    }
    *at = '\0';
}

const struct schema_msg *tap_subject_row(const struct schema_registry *registry, const struct envelope *env)
{
    static const struct schema_msg free_form = { .name = "free-form" };
    const struct schema_msg *row =
        env->kind == ENVELOPE_PUBLISH ? schema_find_topic(registry, env->name) : schema_find(registry, env->name);

    if (env->kind == ENVELOPE_REPLY && row) {
        row = row->reply ? row->reply : row->flags & SCHEMA_SENSITIVE ? NULL : &free_form;
    } else if (env->kind == ENVELOPE_FAIL) {
        row = &free_form;
    }
    return row && row->flags & SCHEMA_SENSITIVE ? NULL : row;
}

struct tap_filter_subject tap_subject(const struct envelope *env, uint64_t bytes)
{
    static const struct span nothing = { NULL, 0 };
    bool is_topic = env->kind == ENVELOPE_PUBLISH;

    return (struct tap_filter_subject){
        .texts = { [TAP_FILTER_TO] = env->to,
                   [TAP_FILTER_FROM] = env->from,
                   [TAP_FILTER_KIND] = span_from(envelope_kind_name(env->kind)),
                   [TAP_FILTER_NAME] = env->name,
                   [TAP_FILTER_METHOD] = is_topic ? nothing : env->name,
                   [TAP_FILTER_TOPIC] = is_topic ? env->name : nothing,
                   [TAP_FILTER_PRINCIPAL] = env->principal.len ? env->principal : nothing },
        .bytes = (double)bytes,
    };
}

struct tap_filter_subject tap_subject_answer(const struct envelope *call, struct span trace)
{
    return (struct tap_filter_subject){
        .texts = { [TAP_FILTER_TO] = call->from,
                   [TAP_FILTER_NAME] = call->name,
                   [TAP_FILTER_METHOD] = call->name,
                   [TAP_FILTER_TRACE] = trace },
        .unknown = 1U << TAP_FILTER_FROM | 1U << TAP_FILTER_KIND | 1U << TAP_FILTER_SESSION |
                   1U << TAP_FILTER_PRINCIPAL | 1U << TAP_FILTER_UNDELIVERED | 1U << TAP_FILTER_BYTES |
                   1U << TAP_FILTER_LATENCY_MS | 1U << TAP_FILTER_TS_MS,
    };
}
