/*
 * secrets_edit: small changes of a JSON text in memory that may hold secrets: what was
 * changed is wiped. Pure.
 */
#ifndef EDGE_CLI_SECRETS_EDIT_H
#define EDGE_CLI_SECRETS_EDIT_H

#include "bus/base/span.h"
#include "bus/json.h"
#include "schema/base/json5_edit.h"

/* As json5_set and json5_remove, in place. 0, JSON5_EDIT_E_NO_PLACE, or a fault. */
int secrets_edit_set(struct text_buf *text, const struct json5_step *steps, size_t steps_n, struct span value);
int secrets_edit_remove(struct text_buf *text, const struct json5_step *steps, size_t steps_n);

/* The text of a JSON file as a value: an object. 0, a JSON_E_* outcome, or a fault. */
int secrets_edit_read(struct span text, struct pack *out);
/* A value as the text of a file. 0 or a fault. */
int secrets_edit_write(struct span value, struct text_buf *out);
void secrets_edit_wipe(struct pack *pack);

/* Do both say the same, whatever the order of their keys? */
bool secrets_edit_is_same(struct span a, struct span b);

#endif
