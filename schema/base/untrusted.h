/*
 * untrusted: words of strangers on their way to a model: between marks that nobody can
 * forge, and without what a model could take for marks or for its own control words. Pure
 * but for the random number in the marks.
 */
#ifndef SCHEMA_BASE_UNTRUSTED_H
#define SCHEMA_BASE_UNTRUSTED_H

#include "bus/base/span.h"
#include "bus/json.h"

/* Appends the text without what looks like a mark (in any case and width of letters, with invisible characters in
 * between) or like a control word of a chat template. 0 or -ENOMEM. */
int untrusted_clean(struct span text, struct text_buf *out);

/* Appends the cleaned text between marks; `source` says where it is from ("Webhook"). 0, -ENOMEM or another fault. */
int untrusted_add(const char *source, struct span text, struct text_buf *out);

/* What a model must know about everything between such marks. */
extern const char untrusted_notice[];

#endif
