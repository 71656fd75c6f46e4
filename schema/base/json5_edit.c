#include "schema/base/json5_edit.h"

#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"

#define INDENT_MAX 256
#define INDENT_STEP 2

/* --- putting a text together ------------------------------------------------------------------ */

static int spaces_add(struct text_buf *out, size_t n)
{
    int r = 0;

    while (!r && n) {
        static const char blanks[] = "                ";
        size_t part = n < sizeof(blanks) - 1 ? n : sizeof(blanks) - 1;

        r = text_buf_add(out, (struct span){ blanks, part });
        n -= part;
    }
    return r;
}

/* Several pieces; the first fault counts. */
static int pieces_add(struct text_buf *out, const struct span *pieces, size_t pieces_n)
{
    int r = 0;

    for (size_t i = 0; !r && i < pieces_n; i++) {
        r = text_buf_add(out, pieces[i]);
    }
    return r;
}

static struct span part(struct span text, size_t from, size_t to)
{
    return (struct span){ text.ptr + from, to - from };
}

/* The value as JSON, on one line or indented; lines after the first are moved in by `indent`. */
static int value_add(struct span value, size_t indent, bool is_pretty, struct text_buf *out)
{
    CLEANUP(text_buf_deinit) struct text_buf plain = { .is_secret = true };
    bool is_long = is_pretty && value_count(value) > 0;
    int r = is_long ? json_from_value_pretty(value, &plain) : json_from_value(value, &plain);
    size_t from = 0;

    for (size_t i = 0; !r && i < plain.len; i++) {
        if (plain.data[i] == '\n') {
            r = text_buf_add(out, (struct span){ plain.data + from, i + 1 - from });
            r = r ? r : spaces_add(out, indent);
            from = i + 1;
        }
    }
    return r ? r : text_buf_add(out, (struct span){ plain.data + from, plain.len - from });
}

/* --- how the surroundings are written ------------------------------------------------------------ */

struct manner {
    size_t indent;     /* of the lines of members */
    size_t close;      /* of the line of the closing bracket */
    bool is_multiline; /* a member per line */
    bool is_quoted;    /* keys stand in quotes */
};

/* Columns of blanks between the line feed before `at` and `at`; SIZE_MAX when something else stands there. */
static size_t indent_at(struct span text, size_t at)
{
    size_t n = 0;

    while (at > n && (text.ptr[at - n - 1] == ' ' || text.ptr[at - n - 1] == '\t')) {
        n++;
    }
    return at == n || text.ptr[at - n - 1] == '\n' ? n : SIZE_MAX;
}

/* Of the line that holds `at`. */
static size_t line_indent(struct span text, size_t at)
{
    size_t start = at;
    size_t n = 0;

    while (start && text.ptr[start - 1] != '\n') {
        start--;
    }
    while (start + n < text.len && text.ptr[start + n] == ' ' && n < INDENT_MAX) {
        n++;
    }
    return n;
}

static bool key_is_quoted(struct span text, size_t at)
{
    return at < text.len && (text.ptr[at] == '"' || text.ptr[at] == '\'');
}

static struct manner manner_of(struct span text, size_t open)
{
    struct json5_walk walk = json5_walk(text, open);
    struct json5_item item;
    struct manner manner = { .close = line_indent(text, open) };
    bool is_empty = !json5_next(&walk, &item);
    size_t root = json5_blank_skip(text, 0);

    manner.indent = manner.close + INDENT_STEP;
    if (!is_empty) {
        size_t indent = indent_at(text, item.key_at);

        manner.is_multiline = indent != SIZE_MAX && item.key_at > open + 1 + indent;
        manner.indent = manner.is_multiline ? indent : manner.indent;
        manner.is_quoted = key_is_quoted(text, item.key_at);
        return manner;
    }
    manner.is_multiline = true;
    manner.is_quoted = true; /* as in JSON, unless the text is written another way */
    walk = json5_walk(text, root);
    if (walk.is_object && json5_next(&walk, &item)) {
        manner.is_quoted = key_is_quoted(text, item.key_at);
    }
    return manner;
}

static bool is_plain_name(struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';

        if (!is_letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return key.len > 0;
}

static int key_add(struct span key, const struct manner *manner, struct text_buf *out)
{
    int r = !manner->is_quoted && is_plain_name(key) ? text_buf_add(out, key) : json_from_text(key, out);

    return r ? r : text_buf_add(out, SPAN_LIT(": "));
}

/* --- adding ---------------------------------------------------------------------------------------- */

/* What the steps that the text does not have yet lead to: objects around the value. */
static int missing_pack(const struct json5_step *steps, size_t steps_n, struct span value, struct pack *out)
{
    for (size_t i = 0; i < steps_n; i++) {
        if (!steps[i].key.ptr && steps[i].index) {
            return JSON5_EDIT_E_NO_PLACE;
        }
        if (steps[i].key.ptr) {
            pack_map_begin(out);
            pack_key_span(out, steps[i].key);
        } else {
            pack_array_begin(out);
        }
    }
    pack_raw(out, value);
    for (size_t i = steps_n; i > 0; i--) {
        if (steps[i - 1].key.ptr) {
            pack_map_end(out);
        } else {
            pack_array_end(out);
        }
    }
    return pack_error(out);
}

/* Behind the rest of the line when only blanks and comments stand on it; else `at`. */
static size_t line_rest_skip(struct span text, size_t at)
{
    const char *feed = memchr(text.ptr + at, '\n', text.len - at);
    size_t line_end = feed ? (size_t)(feed - text.ptr) : text.len;
    size_t behind = json5_blank_skip((struct span){ text.ptr, line_end }, at);

    if (behind < line_end || json5_blank_skip(text, at) < line_end) {
        return at;
    }
    while (line_end > at && text.ptr[line_end - 1] == '\r') {
        line_end--;
    }
    return line_end;
}

static int new_item_add(const struct json5_step *step, struct span value, const struct manner *manner,
                        struct text_buf *out)
{
    int r = step->key.ptr ? key_add(step->key, manner, out) : 0;

    return r ? r : value_add(value, manner->indent, manner->is_multiline, out);
}

static int into_empty(struct span text, size_t end, const struct json5_step *step, struct span value,
                      const struct manner *manner, struct text_buf *out)
{
    size_t from = end;
    int r;

    while (from && (text.ptr[from - 1] == ' ' || text.ptr[from - 1] == '\t')) {
        from--;
    }
    bool has_feed = from && text.ptr[from - 1] == '\n';
    r = text_buf_add(out, part(text, 0, from));
    r = r || has_feed ? r : text_buf_add(out, SPAN_LIT("\n"));
    r = r ? r : spaces_add(out, manner->indent);
    r = r ? r : new_item_add(step, value, manner, out);
    r = r ? r : text_buf_add(out, SPAN_LIT("\n"));
    r = r ? r : spaces_add(out, manner->close);
    return r ? r : text_buf_add(out, part(text, end, text.len));
}

static int behind_last(struct span text, const struct json5_item *last, const struct json5_step *step,
                       struct span value, const struct manner *manner, struct text_buf *out)
{
    size_t comma_end = last->has_comma ? last->comma_at + 1 : last->value_end;
    size_t at = manner->is_multiline ? line_rest_skip(text, comma_end) : comma_end;
    struct span head[] = { part(text, 0, last->value_end), last->has_comma ? SPAN_LIT("") : SPAN_LIT(","),
                           part(text, last->value_end, at), manner->is_multiline ? SPAN_LIT("\n") : SPAN_LIT(" ") };
    int r = pieces_add(out, head, ARRAY_LEN(head));

    r = r || !manner->is_multiline ? r : spaces_add(out, manner->indent);
    r = r ? r : new_item_add(step, value, manner, out);
    r = r || !last->has_comma ? r : text_buf_add(out, SPAN_LIT(","));
    return r ? r : text_buf_add(out, part(text, at, text.len));
}

static int item_insert(struct span text, size_t open, const struct json5_step *step, struct span value,
                       struct text_buf *out)
{
    struct json5_walk walk = json5_walk(text, open);
    struct manner manner = manner_of(text, open);
    struct json5_item item;
    struct json5_item last = { 0 };
    size_t n = 0;

    if (walk.is_over || walk.is_object != (step->key.ptr != NULL)) {
        return JSON5_EDIT_E_NO_PLACE;
    }
    for (; json5_next(&walk, &item); n++) {
        last = item;
    }
    if (!step->key.ptr && step->index != n) {
        return JSON5_EDIT_E_NO_PLACE;
    }
    return n ? behind_last(text, &last, step, value, &manner, out)
             : into_empty(text, walk.end, step, value, &manner, out);
}

int json5_set(struct span text, const struct json5_step *steps, size_t steps_n, struct span value, struct text_buf *out)
{
    struct json5_item item;
    size_t found = json5_find(text, steps, steps_n, &item);

    out->len = 0;
    if (found == steps_n) {
        int r = text_buf_add(out, part(text, 0, item.value_at));
        r = r ? r : value_add(value, line_indent(text, item.key_at), true, out);
        return r ? r : text_buf_add(out, part(text, item.value_end, text.len));
    }
    CLEANUP(pack_deinit) struct pack whole;
    pack_init_secret(&whole, 0);
    int r = missing_pack(steps + found + 1, steps_n - found - 1, value, &whole);
    return r ? r : item_insert(text, item.value_at, &steps[found], pack_span(&whole), out);
}

/* --- removing ---------------------------------------------------------------------------------------- */

/* The container that the last step looks into: its bracket. */
static size_t container_at(struct span text, const struct json5_step *steps, size_t steps_n)
{
    struct json5_item holder;

    (void)json5_find(text, steps, steps_n - 1, &holder); /* found before, so found again */
    return holder.value_at;
}

/* The comma before an item that is the last one and has none behind it; SIZE_MAX: there is none. */
static size_t comma_before(struct span text, size_t open, size_t key_at)
{
    struct json5_walk walk = json5_walk(text, open);
    struct json5_item item;
    size_t comma = SIZE_MAX;

    while (json5_next(&walk, &item) && item.key_at < key_at) {
        comma = item.has_comma ? item.comma_at : SIZE_MAX;
    }
    return comma;
}

/* A line that holds nothing but the removed bytes goes as a whole. */
static void line_widen(struct span text, size_t *from, size_t *to)
{
    size_t indent = indent_at(text, *from);
    size_t end = *to;

    while (end < text.len && (text.ptr[end] == ' ' || text.ptr[end] == '\t' || text.ptr[end] == '\r')) {
        end++;
    }
    if (indent != SIZE_MAX && end < text.len && text.ptr[end] == '\n') {
        *from -= indent;
        *to = end + 1;
    } else if (end < text.len && text.ptr[end] != '\n') {
        *to = end;
    }
}

static int item_remove(struct span text, size_t open, const struct json5_item *item, struct text_buf *out)
{
    size_t from = item->key_at;
    size_t to = item->has_comma ? item->comma_at + 1 : item->value_end;
    size_t comma = item->has_comma ? SIZE_MAX : comma_before(text, open, item->key_at);

    line_widen(text, &from, &to);
    if (comma == SIZE_MAX) {
        struct span pieces[] = { part(text, 0, from), part(text, to, text.len) };
        return pieces_add(out, pieces, ARRAY_LEN(pieces));
    }
    struct span pieces[] = { part(text, 0, comma), part(text, comma + 1, from), part(text, to, text.len) };
    return pieces_add(out, pieces, ARRAY_LEN(pieces));
}

int json5_remove(struct span text, const struct json5_step *steps, size_t steps_n, struct text_buf *out)
{
    CLEANUP(text_buf_deinit) struct text_buf once = { .is_secret = true };
    struct json5_item item;
    int r;

    out->len = 0;
    if (!steps_n) {
        return JSON5_EDIT_E_NO_PLACE;
    }
    r = text_buf_add(out, text);
    r = r ? r : text_buf_reserve(&once, text.len + 1); /* so that nothing is left behind where it grew from */
    /* As often as the key is there: the last one counts, and without it the one before would. */
    while (!r && json5_find((struct span){ out->data, out->len }, steps, steps_n, &item) == steps_n) {
        struct span now = { out->data, out->len };

        once.len = 0;
        r = item_remove(now, container_at(now, steps, steps_n), &item, &once);
        out->len = 0;
        r = r ? r : text_buf_add(out, (struct span){ once.data, once.len });
        if (!steps[steps_n - 1].key.ptr) {
            break; /* the next element has the index now */
        }
    }
    return r;
}
