/*
 * secret_answer: what secret providers say: the payload of a file, the answer of a program
 * (protocol version 1). Bytes from outside in, values out. Pure.
 */
#ifndef SCHEMA_BASE_SECRET_ANSWER_H
#define SCHEMA_BASE_SECRET_ANSWER_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"

#define SECRET_DEPTH_MAX 64U
#define SECRET_PROBLEM_MAX 256U
/* Bytes that any document of so many bytes of JSON needs packed: "[]" becomes five, and brackets may stand open. */
#define SECRET_ROOM(text_len) ((text_len)*3U + SECRET_DEPTH_MAX * 5U + 64U)

/* Why a value is not to be had, in words without any of the provider's own. */
struct secret_problem {
    char text[SECRET_PROBLEM_MAX];
};

/*
 * The value an RFC 6901 pointer leads to; empty when it leads nowhere. Of equal keys the
 * last counts, as in the reader. An index has no leading zero.
 */
struct span secret_pointer_find(struct span doc, struct span pointer);

/*
 * Reads a file's JSON payload, an object, into `doc` (a byte order mark is passed over). 0,
 * SECRET_E_UNUSABLE, or a fault.
 */
enum {
    SECRET_E_UNUSABLE = 1, /* the whole answer is; see the problem */
    SECRET_E_MISSING = 2,  /* this one is not in it */
};
int secret_payload_read(struct span text, struct pack *doc, struct secret_problem *problem);

/* What a singleValue file holds: without byte order mark and without one line end at its end. */
struct span secret_payload_single(struct span text);

/* Appends the request for `ids_n` ids as JSON. 0 or a fault. */
int secret_request_write(struct span provider, const struct span *ids, size_t ids_n, struct text_buf *out);

/*
 * Reads the answer of a program. With `is_plain_fine` (jsonOnly is off and one id was asked
 * for) a text that is no JSON, and a JSON string, is the value itself: then `doc` is that
 * string. Else `doc` is an object whose version and shape were checked.
 */
int secret_answer_read(struct span text, bool is_plain_fine, struct pack *doc, struct secret_problem *problem);
/* The value of one id, 0; else SECRET_E_MISSING with the problem. */
int secret_answer_value(struct span doc, struct span id, struct span *ret_value, struct secret_problem *problem);

#endif
