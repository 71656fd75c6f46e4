/*
 * json5_edit: changes values of a JSON5 text and keeps every other byte: comments, order,
 * quotes, blank lines, trailing commas. Many changes cost what one does: the text is walked
 * once for each kind of change. Pure.
 */
#ifndef SCHEMA_BASE_JSON5_EDIT_H
#define SCHEMA_BASE_JSON5_EDIT_H

#include "bus/base/span.h"
#include "bus/json.h"
#include "schema/base/json5_scan.h"

enum {
    JSON5_EDIT_E_NO_PLACE = 1, /* a step goes through something that is no object or list, or past the end of one */
};

/* Borrows everything. */
struct json5_change {
    const struct json5_step *steps;
    size_t steps_n;
    struct span value; /* packed; empty: what is there goes */
};

/*
 * Makes all changes, as json5_set and json5_remove do one; what is added stands in the order
 * given. None may lie within another, and a list may not lose elements and be changed
 * otherwise at once. `ret_stuck` (may be NULL) is with JSON5_EDIT_E_NO_PLACE the index of a
 * change that has none.
 */
int json5_change(struct span text, const struct json5_change *changes, size_t changes_n, struct text_buf *out,
                 size_t *ret_stuck);

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
