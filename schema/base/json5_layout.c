#include "schema/base/json5_layout.h"

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define INDENT_MAX 256
#define INDENT_STEP 2

int json5_layout_spaces(struct text_buf *out, size_t n)
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

int json5_layout_value(struct span value, size_t indent, bool is_pretty, struct text_buf *out)
{
    CLEANUP(text_buf_deinit) struct text_buf plain = { .is_secret = true };
    bool is_long = is_pretty && value_count(value) > 0;
    int r = is_long ? json_from_value_pretty(value, &plain) : json_from_value(value, &plain);
    size_t from = 0;

    for (size_t i = 0; !r && i < plain.len; i++) {
        if (plain.data[i] == '\n') {
            r = text_buf_add(out, (struct span){ plain.data + from, i + 1 - from });
            r = r ? r : json5_layout_spaces(out, indent);
            from = i + 1;
        }
    }
    return r ? r : text_buf_add(out, (struct span){ plain.data + from, plain.len - from });
}

size_t json5_layout_blanks_before(struct span text, size_t at)
{
    size_t n = 0;

    while (at > n && (text.ptr[at - n - 1] == ' ' || text.ptr[at - n - 1] == '\t')) {
        n++;
    }
    return at == n || text.ptr[at - n - 1] == '\n' ? n : SIZE_MAX;
}

size_t json5_layout_indent(struct json5_lines *lines, size_t at)
{
    struct span text = lines->text;
    size_t known = at >= lines->asked ? lines->asked : 0;
    size_t start = at;
    size_t n = 0;

    while (start > known && text.ptr[start - 1] != '\n') {
        start--;
    }
    if (start == known) { /* no line feed since */
        start = known ? lines->start : 0;
    }
    lines->asked = at;
    lines->start = start;
    while (start + n < text.len && text.ptr[start + n] == ' ' && n < INDENT_MAX) {
        n++;
    }
    return n;
}

static bool key_is_quoted(struct span text, size_t at)
{
    return at < text.len && (text.ptr[at] == '"' || text.ptr[at] == '\'');
}

/* As the first key of all is: in quotes as in JSON, unless the text is written another way. */
static bool text_is_quoted(struct json5_lines *lines)
{
    struct json5_walk walk = json5_walk(lines->text, json5_blank_skip(lines->text, 0));
    struct json5_item item;

    if (!lines->is_known) {
        lines->is_quoted = !walk.is_object || !json5_next(&walk, &item) || key_is_quoted(lines->text, item.key_at);
        lines->is_known = true;
    }
    return lines->is_quoted;
}

struct json5_layout json5_layout_of(struct json5_lines *lines, size_t open, const struct json5_item *first)
{
    struct json5_layout layout = { .close = json5_layout_indent(lines, open), .is_multiline = true };

    layout.indent = layout.close + INDENT_STEP;
    if (first) {
        size_t indent = json5_layout_blanks_before(lines->text, first->key_at);

        layout.is_multiline = indent != SIZE_MAX && first->key_at > open + 1 + indent;
        layout.indent = layout.is_multiline ? indent : layout.indent;
        layout.is_quoted = key_is_quoted(lines->text, first->key_at);
        return layout;
    }
    layout.is_quoted = text_is_quoted(lines);
    return layout;
}

bool json5_layout_is_plain_name(struct span key)
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

size_t json5_layout_line_rest(struct span text, size_t at)
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

int json5_layout_item(const struct json5_layout *self, const struct json5_step *step, struct span value,
                      struct text_buf *out)
{
    int r = 0;

    if (step->key.ptr) {
        bool is_plain = !self->is_quoted && json5_layout_is_plain_name(step->key);

        r = is_plain ? text_buf_add(out, step->key) : json_from_text(step->key, out);
        r = r ? r : text_buf_add(out, SPAN_LIT(": "));
    }
    return r ? r : json5_layout_value(value, self->indent, self->is_multiline, out);
}
