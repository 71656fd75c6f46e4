#include "bus/codec_explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "bus/base/utf8.h"
#include "bus/codec_fit.h"
#include "bus/value_direct.h"

#define ERRORS_MOST 64 /* enough for any reader; a list of a million wrong elements is not */

/* --- the report ------------------------------------------------------------------- */

/* Does `text` hold this error already? ("; " stands between two.) */
static bool text_has(const struct explain *self, const char *one, size_t len)
{
    const char *at = self->text;

    while (at) {
        const char *next = strstr(at, "; ");
        size_t at_len = next ? (size_t)(next - at) : strlen(at);

        if (at_len == len && memcmp(at, one, len) == 0) {
            return true;
        }
        at = next ? next + 2 : NULL;
    }
    return false;
}

static void text_add(struct explain *self, const char *one)
{
    size_t left = self->text_cap - self->text_len;
    int len;

    if (self->text_len && text_has(self, one, strlen(one))) {
        return;
    }
    len = snprintf(self->text + self->text_len, left, "%s%s", self->text_len ? "; " : "", one);
    if (len < 0) {
        self->text[self->text_len] = '\0';
    } else if ((size_t)len < left) {
        self->text_len += (size_t)len;
    } else {
        self->text_len = utf8_cut(span_from(self->text), self->text_cap - 1).len;
        while (self->text_len && utf8_is_valid((struct span){ self->text, self->text_len }) == false) {
            self->text_len--; /* snprintf cut a character in two */
        }
        self->text[self->text_len] = '\0';
    }
}

static void first_set(struct explain *self, const char *text)
{
    const char *path = self->path_len ? self->path + 1 : "";

    (void)snprintf(self->first->path, sizeof(self->first->path), "%s", path); /* cut is fine */
    (void)snprintf(self->first->text, sizeof(self->first->text), "%s", text); /* cut is fine */
}

static void report(struct explain *self, const char *text, bool names_root)
{
    char one[512];

    if (self->errors_n++ == 0 && self->first) {
        first_set(self, text);
    }
    if (!self->text || self->text_cap - self->text_len < 2) {
        return;
    }
    if (self->path_len) {
        (void)snprintf(one, sizeof(one), "at %.*s: %s", (int)self->path_len, self->path, text); /* cut is fine */
    } else {
        (void)snprintf(one, sizeof(one), "%s%s", names_root ? "at root: " : "", text); /* cut is fine */
    }
    text_add(self, one);
}

void codec_explain_add(struct explain *self, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* cut is fine */
    va_end(args);
    report(self, text, false);
}

/* JSON Pointer (RFC 6901 §3) escapes ~ and /. Returns the length to go back to. */
static size_t path_push(struct explain *self, struct span name)
{
    size_t before = self->path_len;
    size_t at = before;

    if (at + 1 < sizeof(self->path)) {
        self->path[at++] = '/';
    }
    for (size_t i = 0; i < name.len && at + 2 < sizeof(self->path); i++) {
        if (name.ptr[i] == '~' || name.ptr[i] == '/') {
            self->path[at++] = '~';
            self->path[at++] = name.ptr[i] == '~' ? '0' : '1';
        } else {
            self->path[at++] = name.ptr[i];
        }
    }
    self->path[at] = '\0';
    self->path_len = at;
    return before;
}

static size_t path_push_index(struct explain *self, uint32_t index)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%" PRIu32, index);

    return path_push(self, (struct span){ text, len > 0 ? (size_t)len : 0 });
}

static void path_pop(struct explain *self, size_t before)
{
    self->path_len = before;
    self->path[before] = '\0';
}

static bool is_full(const struct explain *self)
{
    return self->errors_n >= ERRORS_MOST;
}

/* --- one kind each ------------------------------------------------------------------ */

static void choice_explain(struct explain *self, const struct schema_field *field)
{
    bool is_one = !field->choices[1];

    if (field->flags & SCHEMA_CHOICES_ANY_OF) {
        codec_explain_add(self, "must be equal to constant");
        codec_explain_add(self, "must match a schema in anyOf");
    } else if (is_one && !(field->flags & SCHEMA_CHOICES_UNTYPED)) {
        codec_explain_add(self, "must be equal to constant");
    } else {
        codec_explain_add(self, "must be equal to one of the allowed values");
    }
}

static void text_explain(struct explain *self, const struct schema_field *field, const struct value_head *head)
{
    if (head->kind != VALUE_STR) {
        if (!field->choices || !(field->flags & SCHEMA_CHOICES_UNTYPED)) {
            codec_explain_add(self, "must be string");
        }
        if (field->choices) {
            choice_explain(self, field);
        }
        return;
    }
    if (field->choices) {
        if (!fit_choice(field, head->bytes)) {
            choice_explain(self, field);
        }
    } else if ((int64_t)head->bytes.len > field->max) {
        codec_explain_add(self, "must NOT have more than %" PRId64 " characters", field->max);
    } else if ((int64_t)head->bytes.len < field->min) {
        codec_explain_add(self, "must NOT have fewer than %" PRId64 " characters", field->min);
    }
    if ((field->flags & SCHEMA_PATTERN_NONBLANK) && !fit_nonblank(head->bytes)) {
        codec_explain_add(self, "must match pattern \"\\S\"");
    }
    if (!utf8_is_valid(head->bytes)) {
        codec_explain_add(self, "must be UTF-8 text");
    }
}

static void bin_explain(struct explain *self, const struct schema_field *field, const struct value_head *head)
{
    if (head->kind != VALUE_BIN) {
        codec_explain_add(self, "must be binary");
    } else if (!fit_length(field, head->bytes.len)) {
        codec_explain_add(self, "must have %" PRId64 " to %" PRId64 " bytes", field->min, field->max);
    }
}

static void int_explain(struct explain *self, const struct schema_field *field, struct value_head *head)
{
    double number;

    if (!head_f64(head, &number) || !isfinite(number)) {
        codec_explain_add(self, "must be integer");
        return;
    }
    if (!fit_whole(head) && trunc(number) != number) {
        codec_explain_add(self, "must be integer");
    }
    if (number < (double)field->min || (head->kind == VALUE_INT && head->i64 < field->min)) {
        codec_explain_add(self, "must be >= %" PRId64, field->min);
    } else if (!fit_int(field, head) && trunc(number) == number) {
        if (field->kind == SCHEMA_U64 && field->max == INT64_MAX) {
            codec_explain_add(self, "must be <= %" PRIu64, UINT64_MAX);
        } else {
            codec_explain_add(self, "must be <= %" PRId64, field->max);
        }
    } else if (field->max != INT64_MAX && number > (double)field->max) {
        codec_explain_add(self, "must be <= %" PRId64, field->max);
    }
}

static void f64_explain(struct explain *self, const struct schema_field *field, const struct value_head *head)
{
    double number;

    if (!head_f64(head, &number) || !isfinite(number)) {
        codec_explain_add(self, "must be number");
    } else if (field->min != INT64_MIN && number < (double)field->min) {
        codec_explain_add(self, "must be >= %" PRId64, field->min);
    } else if (field->max != INT64_MAX && number > (double)field->max) {
        codec_explain_add(self, "must be <= %" PRId64, field->max);
    }
}

/* One field: a member, or an element of a list. */
static void field_explain(struct explain *self, const struct schema_field *field, struct span value);

static void list_explain(struct explain *self, const struct schema_field *field, struct span value)
{
    struct value_iter it = value_iter(value);
    uint32_t count = it.left;
    struct span none;
    struct span item;

    if (value_kind_of(value) != VALUE_ARRAY) {
        codec_explain_add(self, "must be array");
        return;
    }
    if (count > field->max) {
        codec_explain_add(self, "must NOT have more than %" PRId64 " items", field->max);
    } else if (count < field->min) {
        codec_explain_add(self, "must NOT have fewer than %" PRId64 " items", field->min);
    }
    for (uint32_t i = 0; i < count && !is_full(self) && value_next(&it, &none, &item); i++) {
        size_t before = path_push_index(self, i);

        field_explain(self, field->item, item);
        path_pop(self, before);
    }
}

static void map_explain(struct explain *self, const struct schema_field *field, struct span value)
{
    struct value_iter it = value_iter(value);
    struct span name;
    struct span item;

    if (value_kind_of(value) != VALUE_MAP) {
        codec_explain_add(self, "must be object");
        return;
    }
    if (it.left > field->max) {
        codec_explain_add(self, "must NOT have more than %" PRId64 " properties", field->max);
    } else if (it.left < field->min) {
        codec_explain_add(self, "must NOT have fewer than %" PRId64 " properties", field->min);
    }
    while (field->item && !is_full(self) && value_next(&it, &name, &item)) {
        size_t before = path_push(self, name);

        field_explain(self, field->item, item);
        path_pop(self, before);
    }
}

static void field_explain(struct explain *self, const struct schema_field *field, struct span value)
{
    struct span cursor = value;
    struct value_head head = { 0 };

    (void)value_head_read(&cursor, &head); /* checked bytes */
    if (head.kind == VALUE_NIL && (field->flags & SCHEMA_NULLABLE)) {
        return;
    }
    switch ((enum schema_kind)field->kind) {
    case SCHEMA_BOOL:
        if (head.kind != VALUE_BOOL) {
            codec_explain_add(self, "must be boolean");
        }
        return;
    case SCHEMA_U32:
    case SCHEMA_U64:
    case SCHEMA_I64:
        int_explain(self, field, &head);
        return;
    case SCHEMA_F64:
        f64_explain(self, field, &head);
        return;
    case SCHEMA_STR:
        text_explain(self, field, &head);
        return;
    case SCHEMA_BIN:
        bin_explain(self, field, &head);
        return;
    case SCHEMA_STRUCT:
        codec_explain(self, field->type, value);
        return;
    case SCHEMA_LIST:
        list_explain(self, field, value);
        return;
    case SCHEMA_MAP:
        map_explain(self, field, value);
        return;
    case SCHEMA_ANY:
        return;
    }
}

/* --- a whole table -------------------------------------------------------------------- */

/* The value of a field, and how often it stands there. */
static struct span field_get(struct span map, const struct schema_field *field, unsigned *ret_n)
{
    struct value_iter it = value_iter(map);
    struct span found = { 0 };
    struct span name;
    struct span item;

    *ret_n = 0;
    while (value_next(&it, &name, &item)) {
        if (span_is(name, (struct span){ field->name, field->name_len })) {
            found = item;
            ++*ret_n;
        }
    }
    return found;
}

static bool is_hidden(const struct explain *self, const struct schema_field *field)
{
    return self->is_closed && (field->flags & SCHEMA_INTERNAL);
}

static void presence_explain(struct explain *self, const struct schema_type *type, struct span value)
{
    for (unsigned i = 0; i < type->fields_n && !is_full(self); i++) {
        const struct schema_field *field = &type->fields[i];
        unsigned n;

        if (is_hidden(self, field)) {
            continue;
        }
        (void)field_get(value, field, &n); /* only how often */
        if (n == 0 && (field->flags & SCHEMA_REQUIRED)) {
            codec_explain_add(self, "must have required property '%s'", field->name);
        } else if (n > 1) {
            codec_explain_add(self, "must have property '%s' only once", field->name);
        }
    }
}

static void unknown_explain(struct explain *self, const struct schema_type *type, struct span value)
{
    struct value_iter it = value_iter(value);
    struct span name;
    struct span item;
    unsigned hint = 0;

    while (!is_full(self) && value_next(&it, &name, &item)) {
        const struct schema_field *field = fit_find(type, name, &hint);
        char text[256];

        if (field ? is_hidden(self, field) : !(type->flags & SCHEMA_OPEN)) {
            struct span shown = utf8_cut(name, 200);

            (void)snprintf(text, sizeof(text), "unexpected property '%.*s'", SPAN_FMT(shown)); /* cut before */
            report(self, text, true);
        }
    }
}

void codec_explain(struct explain *self, const struct schema_type *type, struct span value)
{
    if (value_kind_of(value) != VALUE_MAP) {
        codec_explain_add(self, "must be object");
        return;
    }
    presence_explain(self, type, value);
    if (self->is_closed) {
        unknown_explain(self, type, value);
    }
    for (unsigned i = 0; i < type->fields_n && !is_full(self); i++) {
        const struct schema_field *field = &type->fields[i];
        unsigned n;
        struct span item = field_get(value, field, &n);

        if (n && !is_hidden(self, field)) {
            size_t before = path_push(self, (struct span){ field->name, field->name_len });

            field_explain(self, field, item);
            path_pop(self, before);
        }
    }
}
