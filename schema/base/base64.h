/*
 * base64: RFC 4648 §4, strict: full groups, padding where it belongs, no white space. Pure.
 */
#ifndef SCHEMA_BASE_BASE64_H
#define SCHEMA_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"
#include "bus/json.h"

/* Is it well-formed? How many bytes does it stand for? */
bool base64_check(struct span text, size_t *ret_bytes);
/* The first bytes of a checked text, as many as fit; returns how many. */
size_t base64_head(struct span text, void *out, size_t cap);
/* Appends what a checked text stands for. 0 or -ENOMEM. */
int base64_decode(struct span text, struct text_buf *out);
/* Appends the text for `bytes`. 0 or -ENOMEM. */
int base64_encode(struct span bytes, struct text_buf *out);

#endif
