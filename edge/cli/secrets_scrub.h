/*
 * secrets_scrub: takes migrated values out of .env files. Pure.
 */
#ifndef EDGE_CLI_SECRETS_SCRUB_H
#define EDGE_CLI_SECRETS_SCRUB_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/json.h"
#include "schema/base/dotenv.h"
#include "schema/base/secret_memory.h"

#define SECRETS_VALUE_TELLING 8U /* bytes from which on a value is where it is by no chance */

/* Values that no file shall hold any more. Zeroed is empty. */
struct secrets_values {
    struct secret_arena arena;
    struct span *items; /* owned */
    size_t n;
    size_t cap;
};
/* Wipes them. */
void secrets_values_deinit(struct secrets_values *self);
/* Without the blanks around it; an empty one is none. 0 or a fault. */
int secrets_values_add(struct secrets_values *self, struct span value);
bool secrets_values_has(const struct secrets_values *self, struct span value);
/* Does the text hold one of them anywhere, as it is or as JSON writes it? Short ones may be there by chance and are
 * not looked for. */
bool secrets_values_are_in(const struct secrets_values *self, struct span text);

/*
 * The text of a .env file without the assignments that `is_gone` says so of; every other
 * byte stays. Replaces the contents of `out`. 0 or a fault.
 */
int secrets_scrub_env(struct span text, bool (*is_gone)(void *arg, const struct dotenv_item *item), void *arg,
                      struct text_buf *out, size_t *ret_removed_n);

#endif
