/*
 * json5_edit: changes single values of a JSON5 text and keeps every other byte: comments,
 * order, quotes, blank lines, trailing commas. Pure.
 */
#ifndef SCHEMA_BASE_JSON5_EDIT_H
#define SCHEMA_BASE_JSON5_EDIT_H

#include "bus/base/span.h"
#include "bus/json.h"
#include "schema/base/json5_scan.h"

enum {
    JSON5_EDIT_E_NO_PLACE = 1, /* a step goes through something that is no object or list, or past the end of one */
};

/*
 * Replaces the value at the path by `value` (packed), or adds it with the objects that lead
 * to it; an index equal to the length of a list appends. Steps may be none: the outermost
 * value. `text` is a whole, well-formed text; the new one replaces the contents of `out`,
 * which may not hold `text`. 0, the outcome, or a fault.
 */
int json5_set(struct span text, const struct json5_step *steps, size_t steps_n, struct span value,
              struct text_buf *out);

/* Removes the member or element at the path; a text without it comes back as it is. */
int json5_remove(struct span text, const struct json5_step *steps, size_t steps_n, struct text_buf *out);

#endif
