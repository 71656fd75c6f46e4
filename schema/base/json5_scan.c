#include "schema/base/json5_scan.h"

#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/value.h"

static bool is_at(struct span text, size_t at, const char *what)
{
    return at <= text.len && span_starts((struct span){ text.ptr + at, text.len - at }, what);
}

/* Bytes of the white space character at `at`; 0 when it is none. */
static size_t blank_len(struct span text, size_t at)
{
    static const char *const wide[] = {
        "\xc2\xa0",     "\xef\xbb\xbf", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe1\x9a\x80", "\xe2\x80\xaf", "\xe2\x81\x9f",
        "\xe3\x80\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85",
        "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
    };
    unsigned char byte = at < text.len ? (unsigned char)text.ptr[at] : 0;

    if (byte == ' ' || (byte >= '\t' && byte <= '\r')) {
        return 1;
    }
    for (size_t i = 0; byte >= 0x80 && i < ARRAY_LEN(wide); i++) {
        if (is_at(text, at, wide[i])) {
            return strlen(wide[i]);
        }
    }
    return 0;
}

/* Behind the comment at `at`; `at` when there is none. */
static size_t comment_skip(struct span text, size_t at)
{
    if (is_at(text, at, "//")) {
        while (at < text.len && text.ptr[at] != '\n' && text.ptr[at] != '\r' && !is_at(text, at, "\xe2\x80\xa8") &&
               !is_at(text, at, "\xe2\x80\xa9")) {
            at++;
        }
    } else if (is_at(text, at, "/*")) {
        const char *end = memmem(text.ptr + at + 2, text.len - at - 2, "*/", 2);
        at = end ? (size_t)(end - text.ptr) + 2 : text.len;
    }
    return at;
}

size_t json5_blank_skip(struct span text, size_t at)
{
    while (at < text.len) {
        size_t next = comment_skip(text, at) + blank_len(text, at);

        if (next == at) {
            break;
        }
        at = next;
    }
    return at < text.len ? at : text.len;
}

static bool is_quote(struct span text, size_t at)
{
    return at < text.len && (text.ptr[at] == '"' || text.ptr[at] == '\'');
}

static size_t string_skip(struct span text, size_t at)
{
    char quote = text.ptr[at++];

    while (at < text.len && text.ptr[at] != quote) {
        at += text.ptr[at] == '\\' ? 2 : 1;
    }
    return at < text.len ? at + 1 : text.len;
}

/* Behind a word: a number, a literal or an unquoted key. */
static size_t word_skip(struct span text, size_t at)
{
    while (at < text.len && !strchr(",:[]{}\"'", text.ptr[at]) && !blank_len(text, at) && !is_at(text, at, "//") &&
           !is_at(text, at, "/*")) {
        at++;
    }
    return at;
}

/* Behind the value that begins at `at`. */
static size_t value_end_of(struct span text, size_t at)
{
    size_t depth = 0;

    do {
        size_t before = at;

        if (at >= text.len) {
            return text.len;
        }
        if (is_quote(text, at)) {
            at = string_skip(text, at);
        } else if (text.ptr[at] == '{' || text.ptr[at] == '[') {
            depth++;
            at++;
        } else if (text.ptr[at] == '}' || text.ptr[at] == ']') {
            depth -= depth > 0;
            at++;
        } else if (depth && (text.ptr[at] == ',' || text.ptr[at] == ':')) {
            at++;
        } else {
            at = word_skip(text, at);
        }
        at = depth ? json5_blank_skip(text, at) : at;
        if (at == before) {
            return at; /* a byte that begins nothing */
        }
    } while (depth);
    return at;
}

bool json5_has_comment(struct span text)
{
    size_t at = 0;

    while (at < text.len) {
        if (is_at(text, at, "//") || is_at(text, at, "/*")) {
            return true;
        }
        at = is_quote(text, at) ? string_skip(text, at) : at + 1;
    }
    return false;
}

unsigned json5_line_of(struct span text, size_t at, unsigned *ret_column)
{
    unsigned line = 1;
    size_t start = 0;

    at = at < text.len ? at : text.len;
    for (size_t i = 0; i < at; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    if (ret_column) {
        *ret_column = (unsigned)(at - start + 1);
    }
    return line;
}

struct json5_walk json5_walk(struct span text, size_t at)
{
    bool is_object = at < text.len && text.ptr[at] == '{';
    bool is_list = at < text.len && text.ptr[at] == '[';

    return (struct json5_walk){
        .text = text, .at = at + 1, .end = at, .is_object = is_object, .is_over = !is_object && !is_list
    };
}

static bool walk_end(struct json5_walk *self, size_t at)
{
    self->is_over = true;
    self->end = at < self->text.len ? at : self->text.len;
    return false;
}

bool json5_next(struct json5_walk *self, struct json5_item *ret_item)
{
    struct span text = self->text;
    struct json5_item item = { 0 };
    size_t at = self->is_over ? 0 : json5_blank_skip(text, self->at);

    if (self->is_over) {
        return false;
    }
    if (at >= text.len || text.ptr[at] == '}' || text.ptr[at] == ']') {
        return walk_end(self, at);
    }
    item.key_at = at;
    item.key_end = at;
    if (self->is_object) {
        item.key_end = is_quote(text, at) ? string_skip(text, at) : word_skip(text, at);
        at = json5_blank_skip(text, item.key_end);
        if (at >= text.len || text.ptr[at] != ':') {
            return walk_end(self, at);
        }
        at = json5_blank_skip(text, at + 1);
    }
    item.value_at = at;
    item.value_end = value_end_of(text, at);
    if (item.value_end == at) {
        return walk_end(self, at);
    }
    at = json5_blank_skip(text, item.value_end);
    item.has_comma = at < text.len && text.ptr[at] == ',';
    item.comma_at = item.has_comma ? at : item.value_end;
    self->at = item.has_comma ? at + 1 : at;
    *ret_item = item;
    return true;
}

/* Escapes, and bytes that the reader may have replaced, are left to the reader. */
static bool is_plain_key(struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '\\' || (unsigned char)raw.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

bool json5_key(struct span text, const struct json5_item *item, char decoded[JSON5_KEY_MAX], struct span *ret_key)
{
    struct span raw = { text.ptr + item->key_at, item->key_end - item->key_at };
    struct json_opts opts = { .json5 = true, .depth_max = 2 };
    CLEANUP(pack_deinit) struct pack doc;
    char wrapped[JSON5_KEY_MAX * 6 + 8];
    bool is_quoted = is_quote(text, item->key_at);

    pack_init(&doc, 0);
    if (is_plain_key(raw)) {
        *ret_key = is_quoted && raw.len >= 2 ? (struct span){ raw.ptr + 1, raw.len - 2 } : raw;
        return true;
    }
    if (raw.len + 4 > sizeof(wrapped)) {
        return false;
    }
    wrapped[0] = '{';
    memcpy(wrapped + 1, raw.ptr, raw.len);
    memcpy(wrapped + 1 + raw.len, ":0}", 3);
    if (json_to_pack((struct span){ wrapped, raw.len + 4 }, &opts, &doc, NULL)) {
        return false;
    }
    struct value_iter it = value_iter(pack_span(&doc));
    struct span found;
    struct span zero;
    if (!value_next(&it, &found, &zero) || found.len > JSON5_KEY_MAX) {
        return false;
    }
    memcpy(decoded, found.len ? found.ptr : "", found.len);
    *ret_key = (struct span){ decoded, found.len };
    return true;
}

static bool step_find(struct span text, size_t at, const struct json5_step *step, struct json5_item *ret_item)
{
    struct json5_walk walk = json5_walk(text, at);
    char decoded[JSON5_KEY_MAX];
    struct json5_item item;
    struct span key;
    bool is_found = false;

    if (walk.is_over || walk.is_object != (step->key.ptr != NULL)) {
        return false;
    }
    for (size_t i = 0; json5_next(&walk, &item); i++) {
        bool is_it =
            walk.is_object ? json5_key(text, &item, decoded, &key) && span_is(key, step->key) : i == step->index;

        if (is_it) {
            *ret_item = item;
            is_found = true;
        }
    }
    return is_found;
}

size_t json5_find(struct span text, const struct json5_step *steps, size_t steps_n, struct json5_item *ret_item)
{
    size_t at = json5_blank_skip(text, 0);
    size_t n = 0;

    *ret_item = (struct json5_item){ .key_at = at, .key_end = at, .value_at = at };
    ret_item->value_end = value_end_of(text, at);
    ret_item->comma_at = ret_item->value_end;
    while (n < steps_n && step_find(text, ret_item->value_at, &steps[n], ret_item)) {
        n++;
    }
    return n;
}
