#include "schema/base/config_shape.h"

#include <math.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/base/nearest.h"
#include "bus/value.h"

#define WORD_MAX 128
#define NOTHING ((struct span){ 0 })

struct check {
    void (*on)(void *arg, const struct config_shape_issue *issue);
    void *arg;
    unsigned issues;
    struct json5_step steps[CONFIG_SHAPE_STEPS_MAX];
    size_t steps_n;
    struct span key; /* the unknown one in hand */
};

static bool check(struct check *self, const struct config_shape *shape, struct span value);

/* --- telling ------------------------------------------------------------------------------------- */

static bool tell(struct check *self, const struct config_shape *shape, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Always false, as the outcome of what it tells about. */
static bool tell(struct check *self, const struct config_shape *shape, const char *fmt, ...)
{
    struct config_shape_issue issue = { .steps = self->steps, .steps_n = self->steps_n, .shape = shape };
    va_list args;

    issue.where_n = self->steps_n;
    if (self->key.ptr && self->steps_n < CONFIG_SHAPE_STEPS_MAX) {
        self->steps[issue.where_n++] = (struct json5_step){ .key = self->key };
    }

    self->issues++;
    if (self->on) {
        va_start(args, fmt);
        (void)vsnprintf(issue.message, sizeof(issue.message), fmt, args);
        va_end(args);
        self->on(self->arg, &issue);
    }
    return false;
}

static const char *received(struct span value)
{
    switch (value_kind_of(value)) {
    case VALUE_NIL:
        return "null";
    case VALUE_BOOL:
        return "boolean";
    case VALUE_INT:
    case VALUE_UINT:
    case VALUE_FLOAT:
        return "number";
    case VALUE_STR:
        return "string";
    case VALUE_ARRAY:
        return "array";
    case VALUE_MAP:
        return "object";
    default:
        return "undefined";
    }
}

static const char *expected(const struct config_shape *shape)
{
    switch (shape->kind) {
    case CONFIG_KIND_NULL:
        return "null";
    case CONFIG_KIND_BOOL:
    case CONFIG_KIND_FALSE:
        return "boolean";
    case CONFIG_KIND_INT:
    case CONFIG_KIND_NUMBER:
        return "number";
    case CONFIG_KIND_TEXT:
        return "string";
    case CONFIG_KIND_LIST:
        return "array";
    default:
        return "object";
    }
}

static bool kind_tell(struct check *self, const struct config_shape *shape, struct span value)
{
    return tell(self, shape, "Invalid input: expected %s, received %s", expected(shape), received(value));
}

/* --- leaves ----------------------------------------------------------------------------------------- */

static bool word_is_known(const struct config_shape *shape, struct span text)
{
    for (size_t i = 0; i < shape->words_n; i++) {
        if (span_is_text(text, config_shape_words[shape->words_at + i])) {
            return true;
        }
    }
    return shape->words_n == 0;
}

static bool words_tell(struct check *self, const struct config_shape *shape)
{
    char list[256] = "";
    size_t n = 0;

    for (size_t i = 0; i < shape->words_n && n < sizeof(list); i++) {
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s\"%s\"", i ? ", " : "",
                              config_shape_words[shape->words_at + i]);
    }
    return tell(self, shape, "Invalid input (allowed: %s)", list);
}

static bool pattern_fits(const char *pattern, struct span text)
{
    char copy[1024];
    regex_t compiled;

    if (text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len) ||
        regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB)) {
        return false;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    bool is_fit = !regexec(&compiled, copy, 0, NULL, 0);
    regfree(&compiled);
    return is_fit;
}

static bool text_check(struct check *self, const struct config_shape *shape, struct span value)
{
    struct span text = value_str(value, NOTHING);

    if (value_kind_of(value) != VALUE_STR) {
        return shape->words_n ? words_tell(self, shape) : kind_tell(self, shape, value);
    }
    if (!word_is_known(shape, text)) {
        return words_tell(self, shape);
    }
    if ((shape->limits & CONFIG_LIMIT_MIN) && (double)text.len < shape->min) {
        return tell(self, shape, "Too small: expected string to have >=%.0f characters", shape->min);
    }
    if ((shape->limits & CONFIG_LIMIT_MAX) && (double)text.len > shape->max) {
        return tell(self, shape, "Too big: expected string to have <=%.0f characters", shape->max);
    }
    if (shape->pattern && !pattern_fits(shape->pattern, text)) {
        return tell(self, shape, "Invalid string: must match pattern /%s/", shape->pattern);
    }
    return true;
}

static bool number_check(struct check *self, const struct config_shape *shape, struct span value)
{
    enum value_kind kind = value_kind_of(value);
    double number = kind == VALUE_FLOAT  ? value_f64(value, 0)
                    : kind == VALUE_UINT ? (double)UINT64_MAX
                                         : (double)value_i64(value, 0);

    if (kind != VALUE_INT && kind != VALUE_UINT && kind != VALUE_FLOAT) {
        return kind_tell(self, shape, value);
    }
    if (shape->kind == CONFIG_KIND_INT && (!isfinite(number) || floor(number) != number)) {
        return tell(self, shape, "Invalid input: expected int, received number");
    }
    if (!isfinite(number)) {
        return tell(self, shape, "Invalid input: expected number, received %s", isnan(number) ? "NaN" : "Infinity");
    }
    if ((shape->limits & CONFIG_LIMIT_MIN) && number < shape->min) {
        return tell(self, shape, "Too small: expected number to be >=%.15g", shape->min);
    }
    if ((shape->limits & CONFIG_LIMIT_ABOVE) && number <= shape->min) {
        return tell(self, shape, "Too small: expected number to be >%.15g", shape->min);
    }
    if ((shape->limits & CONFIG_LIMIT_MAX) && number > shape->max) {
        return tell(self, shape, "Too big: expected number to be <=%.15g", shape->max);
    }
    return true;
}

/* --- containers ---------------------------------------------------------------------------------------- */

static bool inner_check(struct check *self, struct json5_step step, const struct config_shape *shape, struct span value)
{
    if (self->steps_n == CONFIG_SHAPE_STEPS_MAX) {
        return tell(self, NULL, "Nested deeper than %u levels", CONFIG_SHAPE_STEPS_MAX);
    }
    self->steps[self->steps_n++] = step;
    bool is_fit = check(self, shape, value);
    self->steps_n--;
    return is_fit;
}

static const struct config_shape_key *key_find(const struct config_shape *shape, struct span name)
{
    for (size_t i = 0; i < shape->keys_n; i++) {
        const struct config_shape_key *key = &config_shape_keys[shape->keys_at + i];
        if (span_is_text(name, key->name)) {
            return key;
        }
    }
    return NULL;
}

static void word_of(struct span text, char out[WORD_MAX])
{
    size_t n = 0;

    for (; n < text.len && n < WORD_MAX - 1; n++) {
        unsigned char byte = (unsigned char)text.ptr[n];
        out[n] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
    out[n] = '\0';
}

static bool unknown_tell(struct check *self, struct span name, const char *nearest)
{
    char word[WORD_MAX];

    word_of(name, word);
    self->key = name;
    if (nearest) {
        (void)tell(self, NULL, "Unrecognized key: \"%s\"; the nearest known key is \"%s\"", word, nearest);
    } else {
        (void)tell(self, NULL, "Unrecognized key: \"%s\"", word);
    }
    self->key = NOTHING;
    return false;
}

static const char *key_nearest(const struct config_shape *shape, struct span name)
{
    char word[WORD_MAX];
    struct nearest nearest = { .typed = word };

    word_of(name, word);
    for (size_t i = 0; i < shape->keys_n; i++) {
        nearest_offer(&nearest, config_shape_keys[shape->keys_at + i].name);
    }
    return nearest.best;
}

static bool member_check(struct check *self, const struct config_shape *shape, struct span name, struct span value)
{
    const struct config_shape_key *key = key_find(shape, name);
    struct json5_step step = { .key = name };

    if (key) {
        return inner_check(self, step, &config_shapes[key->shape], value);
    }
    if (shape->rest && shape->pattern && !pattern_fits(shape->pattern, name)) {
        return unknown_tell(self, name, NULL);
    }
    return shape->rest ? inner_check(self, step, &config_shapes[shape->rest], value)
                       : unknown_tell(self, name, key_nearest(shape, name));
}

static bool object_check(struct check *self, const struct config_shape *shape, struct span value)
{
    struct value_iter it = value_iter(value);
    struct span name;
    struct span item;
    bool is_fit = true;

    if (value_kind_of(value) != VALUE_MAP) {
        return kind_tell(self, shape, value);
    }
    while (value_next(&it, &name, &item)) {
        is_fit &= member_check(self, shape, name, item);
    }
    for (size_t i = 0; i < shape->keys_n; i++) {
        const struct config_shape_key *key = &config_shape_keys[shape->keys_at + i];

        if (key->is_required && !value_get(value, key->name).len) {
            is_fit &= inner_check(self, (struct json5_step){ .key = span_from(key->name) }, &config_shapes[key->shape],
                                  NOTHING);
        }
    }
    return is_fit;
}

static bool list_check(struct check *self, const struct config_shape *shape, struct span value)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;
    bool is_fit = true;

    if (value_kind_of(value) != VALUE_ARRAY) {
        return kind_tell(self, shape, value);
    }
    if ((shape->limits & CONFIG_LIMIT_MIN) && value_count(value) < shape->min) {
        return tell(self, shape, "Too small: expected array to have >=%.0f items", shape->min);
    }
    if ((shape->limits & CONFIG_LIMIT_MAX) && value_count(value) > shape->max) {
        return tell(self, shape, "Too big: expected array to have <=%.0f items", shape->max);
    }
    for (size_t i = 0; value_next(&it, &key, &item); i++) {
        is_fit &= inner_check(self, (struct json5_step){ .index = i }, &config_shapes[shape->item], item);
    }
    return is_fit;
}

static bool is_kind(const struct config_shape *shape, struct span value)
{
    return !strcmp(expected(shape), received(value));
}

/* When only one alternative is of the kind of the value, what is wrong with that one is told. */
static bool alts_check(struct check *self, const struct config_shape *shape, struct span value)
{
    const struct config_shape *likely = NULL;
    size_t likely_n = 0;

    for (size_t i = 0; i < shape->alts_n; i++) {
        const struct config_shape *alt = &config_shapes[config_shape_alts[shape->alts_at + i]];
        struct check quiet = { .steps_n = self->steps_n };

        if (check(&quiet, alt, value)) {
            return true;
        }
        if (is_kind(alt, value)) {
            likely = alt;
            likely_n++;
        }
    }
    return likely_n == 1 ? check(self, likely, value) : tell(self, shape, "Invalid input");
}

static bool check(struct check *self, const struct config_shape *shape, struct span value)
{
    switch (shape->kind) {
    case CONFIG_KIND_TEXT:
        return text_check(self, shape, value);
    case CONFIG_KIND_INT:
    case CONFIG_KIND_NUMBER:
        return number_check(self, shape, value);
    case CONFIG_KIND_OBJECT:
        return object_check(self, shape, value);
    case CONFIG_KIND_LIST:
        return list_check(self, shape, value);
    case CONFIG_KIND_ONE_OF:
        return alts_check(self, shape, value);
    case CONFIG_KIND_BOOL:
        return value_kind_of(value) == VALUE_BOOL || kind_tell(self, shape, value);
    case CONFIG_KIND_FALSE:
        return (value_kind_of(value) == VALUE_BOOL && !value_bool(value, true)) || tell(self, shape, "Invalid input");
    case CONFIG_KIND_NULL:
        return value_kind_of(value) == VALUE_NIL || kind_tell(self, shape, value);
    default:
        return true;
    }
}

/* --- the whole config ---------------------------------------------------------------------------------- */

static const struct config_section *section_find(struct span name)
{
    for (size_t i = 0; i < config_sections_n; i++) {
        if (span_is_text(name, config_sections[i].name)) {
            return &config_sections[i];
        }
    }
    return NULL;
}

static const char *section_nearest(struct span name)
{
    char word[WORD_MAX];
    struct nearest nearest = { .typed = word };

    word_of(name, word);
    for (size_t i = 0; i < config_sections_n; i++) {
        nearest_offer(&nearest, config_sections[i].name);
    }
    return nearest.best;
}

int config_shape_check(struct span doc, void (*on)(void *arg, const struct config_shape_issue *issue), void *arg)
{
    struct check self = { .on = on, .arg = arg };
    struct value_iter it = value_iter(doc);
    struct span name;
    struct span value;

    while (value_next(&it, &name, &value)) {
        const struct config_section *section = section_find(name);

        if (!section) {
            (void)unknown_tell(&self, name, section_nearest(name));
        } else {
            (void)inner_check(&self, (struct json5_step){ .key = name }, &config_shapes[section->shape], value);
        }
    }
    return self.issues ? CONFIG_SHAPE_E_REFUSED : 0;
}

void config_shape_unserved(struct span doc, void (*on)(void *arg, const struct config_section *section), void *arg)
{
    struct value_iter it = value_iter(doc);
    struct span name;
    struct span value;

    while (value_next(&it, &name, &value)) {
        const struct config_section *section = section_find(name);

        if (section && section->later) {
            on(arg, section);
        }
    }
}

void config_shape_place(const struct json5_step *steps, size_t steps_n, bool is_dotted, char *out, size_t out_size)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < steps_n && n < out_size; i++) {
        struct span key = steps[i].key;
        const char *dot = i ? "." : "";

        if (!key.ptr) {
            n += (size_t)(is_dotted ? snprintf(out + n, out_size - n, "%s%zu", dot, steps[i].index)
                                    : snprintf(out + n, out_size - n, "[%zu]", steps[i].index));
        } else if (is_dotted || !memchr(key.ptr, '.', key.len)) {
            n += (size_t)snprintf(out + n, out_size - n, "%s%.*s", dot, SPAN_FMT(key));
        } else {
            n += (size_t)snprintf(out + n, out_size - n, "[\"%.*s\"]", SPAN_FMT(key));
        }
    }
}

/* --- looking up --------------------------------------------------------------------------------------------- */

/* Cuts the next part off a path: "a", "[0]" and "[]" (both "[]"), or a key in brackets. */
static struct span part_cut(struct span *path)
{
    size_t at = 0;
    struct span part;

    while (path->len && path->ptr[0] == '.') {
        *path = (struct span){ path->ptr + 1, path->len - 1 };
    }
    if (path->len && path->ptr[0] == '[') {
        while (at < path->len && path->ptr[at] != ']') {
            at++;
        }
        at += at < path->len;
    } else {
        while (at < path->len && path->ptr[at] != '.' && path->ptr[at] != '[') {
            at++;
        }
    }
    part = (struct span){ path->ptr, at };
    *path = (struct span){ path->ptr + at, path->len - at };
    return part;
}

static bool is_index(struct span part)
{
    bool is_bracket = part.len >= 2 && part.ptr[0] == '[';

    for (size_t i = is_bracket; i + is_bracket < part.len; i++) {
        if (part.ptr[i] < '0' || part.ptr[i] > '9') {
            return part.len == 1 && part.ptr[0] == '*';
        }
    }
    return part.len > 0;
}

static const struct config_shape *step_into(const struct config_shape *shape, struct span part, bool *is_required)
{
    const struct config_shape *found = NULL;

    *is_required = false;
    if (shape->kind == CONFIG_KIND_ONE_OF) {
        for (size_t i = 0; !found && i < shape->alts_n; i++) {
            found = step_into(&config_shapes[config_shape_alts[shape->alts_at + i]], part, is_required);
        }
        return found;
    }
    if (shape->kind == CONFIG_KIND_LIST) {
        return is_index(part) ? &config_shapes[shape->item] : NULL;
    }
    if (shape->kind != CONFIG_KIND_OBJECT) {
        return NULL;
    }
    const struct config_shape_key *key = key_find(shape, part);
    if (key) {
        *is_required = key->is_required;
        return &config_shapes[key->shape];
    }
    return shape->rest ? &config_shapes[shape->rest] : NULL;
}

const struct config_shape *config_shape_find(struct span path, bool *ret_is_required)
{
    bool is_required = false;
    struct span part = part_cut(&path);
    const struct config_section *section = section_find(part);
    const struct config_shape *shape = section ? &config_shapes[section->shape] : NULL;

    while (shape && path.len) {
        part = part_cut(&path);
        shape = part.len ? step_into(shape, part, &is_required) : shape;
    }
    if (ret_is_required) {
        *ret_is_required = is_required;
    }
    return shape;
}
