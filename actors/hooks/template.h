/*
 * template: texts of the config with `{{messages[0].from}}` in them, filled with what a
 * request brought. Pure.
 *
 *   path                  what stands behind hooks.path
 *   now                   the time, ISO 8601 in UTC
 *   headers.NAME          a header, lower case
 *   query.NAME            a value of the query
 *   payload.PATH, PATH    the body: names, and places of lists in square brackets
 *
 * Texts, numbers and truth values are put in as they are, lists and objects as JSON; what is
 * not there leaves nothing.
 */
#ifndef ACTORS_HOOKS_TEMPLATE_H
#define ACTORS_HOOKS_TEMPLATE_H

#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

struct template_facts {
    struct span path;
    struct span query;   /* packed map of texts */
    struct span headers; /* the same */
    struct span payload; /* packed */
    int64_t now_ms;
};

enum {
    TEMPLATE_E_LONG = 1, /* the filled text would exceed its limit */
};

/* Appends the filled text; `most` bytes at most. 0, an outcome, or -ENOMEM. */
int template_fill(struct span text, const struct template_facts *facts, size_t most, struct text_buf *out);

#endif
