/*
 * codec_explain: says what is wrong with a value that a table refused. The checkers on
 * the hot path only say yes or no; this walks the value a second time, slowly, in the
 * order and wording of the protocol (JSON Schema's).
 */
#ifndef BUS_CODEC_EXPLAIN_H
#define BUS_CODEC_EXPLAIN_H

#include "bus/codec.h"

struct explain {
    bool is_closed; /* as clients are checked: unknown keys and INTERNAL fields are errors */
    unsigned errors_n;
    struct codec_error *first; /* set at the first error; may be NULL */
    char *text;                /* all errors, joined by "; "; may be NULL */
    size_t text_cap;
    size_t text_len;
    char path[128]; /* of the value in hand, with its leading slashes */
    size_t path_len;
};

/* Walks `value`, which must have passed wire_check. */
void codec_explain(struct explain *self, const struct schema_type *type, struct span value);
/* Adds one error at the path in hand. */
void codec_explain_add(struct explain *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
