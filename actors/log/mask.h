/*
 * mask: what looks like a secret becomes asterisks. Defence in depth: nobody should log
 * one in the first place. Pure.
 */
#ifndef ACTORS_LOG_MASK_H
#define ACTORS_LOG_MASK_H

#include "bus/base/span.h"
#include "bus/json.h"

/*
 * Appends `text` with secrets masked: values after names such as token=, "apiKey": or
 * Authorization: Bearer, well-known key formats, JSON web tokens, URL passwords, private
 * keys in PEM. A long one keeps its first six and last four characters. 0 or -ENOMEM.
 */
int mask_text(struct span text, struct text_buf *out);

#endif
