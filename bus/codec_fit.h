/*
 * codec_fit: does one value fit the limits of its field? Inline, shared by everything
 * that checks (codec.c, codec_explain.c, json_read.c), so that they cannot differ.
 */
#ifndef BUS_CODEC_FIT_H
#define BUS_CODEC_FIT_H

#include <math.h>

#include "bus/schema_table.h"
#include "bus/value.h"

#define FIT_WHOLE_MOST 9007199254740992.0 /* 2^53: above it a double skips whole numbers */

static inline bool fit_length(const struct schema_field *field, size_t n)
{
    return (int64_t)n >= field->min && (int64_t)n <= field->max;
}

static inline bool fit_choice(const struct schema_field *field, struct span text)
{
    for (const char *const *choice = field->choices; *choice; choice++) {
        if (span_is_text(text, *choice)) {
            return true;
        }
    }
    return false;
}

static inline bool fit_nonblank(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!strchr(" \t\n\v\f\r", text.ptr[i]) || text.ptr[i] == '\0') {
            return true;
        }
    }
    return false;
}

static inline bool fit_text(const struct schema_field *field, struct span text)
{
    return fit_length(field, text.len) && (!field->choices || fit_choice(field, text)) &&
           (!(field->flags & SCHEMA_PATTERN_NONBLANK) || fit_nonblank(text));
}

/* A float that is a whole number counts as one, as in JSON Schema. */
static inline bool fit_whole(struct value_head *head)
{
    if (head->kind == VALUE_FLOAT && fabs(head->f64) <= FIT_WHOLE_MOST && trunc(head->f64) == head->f64) {
        head->kind = VALUE_INT;
        head->i64 = (int64_t)head->f64;
    }
    return head->kind == VALUE_INT || head->kind == VALUE_UINT;
}

static inline bool fit_f64(const struct schema_field *field, double number)
{
    return isfinite(number) && (field->min == INT64_MIN || number >= (double)field->min) &&
           (field->max == INT64_MAX || number <= (double)field->max);
}

static inline bool head_f64(const struct value_head *head, double *ret_number)
{
    switch (head->kind) {
    case VALUE_FLOAT:
        *ret_number = head->f64;
        return true;
    case VALUE_INT:
        *ret_number = (double)head->i64;
        return true;
    case VALUE_UINT:
        *ret_number = (double)head->u64;
        return true;
    default:
        return false;
    }
}

/* For the whole kinds; `head` is turned into a whole number where it is one. */
static inline bool fit_int(const struct schema_field *field, struct value_head *head)
{
    if (!fit_whole(head)) {
        return false;
    }
    if (head->kind == VALUE_UINT) { /* above INT64_MAX */
        return field->kind == SCHEMA_U64 && field->max == INT64_MAX;
    }
    return head->i64 >= field->min && head->i64 <= field->max;
}

/* The field of that name, looked for from `*hint` on, since senders keep the table's order. */
static inline const struct schema_field *fit_find(const struct schema_type *type, struct span name, unsigned *hint)
{
    unsigned at = *hint;

    for (unsigned i = 0; i < type->fields_n; i++) {
        const struct schema_field *field;

        if (at >= type->fields_n) {
            at = 0;
        }
        field = &type->fields[at++];
        if (field->name_len == name.len && memcmp(field->name, name.ptr, name.len) == 0) {
            *hint = at;
            return field;
        }
    }
    return NULL;
}

#endif
