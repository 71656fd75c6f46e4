/*
 * json5_layout: how new members and values are written, so that they look like what stands around them. Pure.
 */
#ifndef SCHEMA_BASE_JSON5_LAYOUT_H
#define SCHEMA_BASE_JSON5_LAYOUT_H

#include "bus/base/span.h"
#include "bus/json.h"
#include "schema/base/json5_scan.h"

struct json5_layout {
    size_t indent;     /* of the lines of members */
    size_t close;      /* of the line of the closing bracket */
    bool is_multiline; /* a member per line */
    bool is_quoted;    /* keys stand in quotes */
};

/* What has been asked of a text before, so that asking for one place after the other costs one pass. */
struct json5_lines {
    struct span text;
    size_t asked;  /* the place asked for last; places only grow */
    size_t start;  /* of the line with it */
    bool is_known; /* is_quoted is */
    bool is_quoted;
};

/* Blanks at the front of the line that holds `at`. */
size_t json5_layout_indent(struct json5_lines *lines, size_t at);

/* Columns of blanks between the line feed before `at` and `at`; SIZE_MAX when something else stands there. */
size_t json5_layout_blanks_before(struct span text, size_t at);

/* Of the container whose bracket is at `open`; `first` is NULL when it is empty. */
struct json5_layout json5_layout_of(struct json5_lines *lines, size_t open, const struct json5_item *first);

/* Behind the rest of the line when only blanks and comments stand on it; else `at`. */
size_t json5_layout_line_rest(struct span text, size_t at);

int json5_layout_spaces(struct text_buf *out, size_t n);

/* Appends the value as JSON, on one line or indented; lines after the first are moved in by `indent`. */
int json5_layout_value(struct span value, size_t indent, bool is_pretty, struct text_buf *out);

/* Appends what a step adds: a member with its key, or an element. */
int json5_layout_item(const struct json5_layout *self, const struct json5_step *step, struct span value,
                      struct text_buf *out);

/* Can the key stand without quotes? */
bool json5_layout_is_plain_name(struct span key);

#endif
