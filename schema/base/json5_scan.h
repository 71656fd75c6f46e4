/*
 * json5_scan: where things stand in a JSON5 text. Finds values by path without building
 * anything, so that a text can be edited in place and problems can be told with their line.
 *
 * The text should have passed config_file_parse; on any other bytes the functions still end
 * within them, and find nothing or something of little use.
 */
#ifndef SCHEMA_BASE_JSON5_SCAN_H
#define SCHEMA_BASE_JSON5_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"

#define JSON5_KEY_MAX 512 /* bytes of a decoded key; longer ones match nothing */

/* One step of a path: a key, or an index when `key.ptr` is NULL. */
struct json5_step {
    struct span key;
    size_t index;
};

/* One member of an object or one element of a list; offsets into the text. */
struct json5_item {
    size_t key_at; /* of objects; else equal to value_at */
    size_t key_end;
    size_t value_at;
    size_t value_end;
    size_t comma_at; /* of the comma behind it; equal to value_end when there is none */
    bool has_comma;
};

/* Behind blanks and comments from `at` on. */
size_t json5_blank_skip(struct span text, size_t at);
/* Is there a comment anywhere? */
bool json5_has_comment(struct span text);
/* From 1; `ret_column` (in bytes) may be NULL. */
unsigned json5_line_of(struct span text, size_t at, unsigned *ret_column);

/*
 * Walks a container: `struct json5_walk walk = json5_walk(text, at);` with `at` on its
 * bracket, then `while (json5_next(&walk, &item))`. `end` is the offset of the closing bracket
 * once the walk is over.
 */
struct json5_walk {
    struct span text;
    size_t at;
    size_t end;
    bool is_object;
    bool is_over;
};
struct json5_walk json5_walk(struct span text, size_t at);
bool json5_next(struct json5_walk *self, struct json5_item *ret_item);

/* The key of a member of an object, as it reads: in `decoded` or in the text. False when it is none, or too long. */
bool json5_key(struct span text, const struct json5_item *item, char decoded[JSON5_KEY_MAX], struct span *ret_key);

/*
 * Follows as many of the steps as the text has. Returns how many; `ret_item` is the place
 * of the last one found (its value alone for the outermost value). Of equal keys the last
 * counts.
 */
size_t json5_find(struct span text, const struct json5_step *steps, size_t steps_n, struct json5_item *ret_item);

#endif
