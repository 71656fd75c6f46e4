/*
 * json_reader: the state of one reading, shared by the parts of the JSON reader
 * (json.c, json_read.c, json_token.c, json_number.c, json_keys.c, json_split.c). Not for
 * others.
 *
 * Every step returns false after it has set `outcome` (or `is_violated`); then nothing
 * more is read. Lines and columns are counted only when there is an error to report.
 */
#ifndef BUS_JSON_READER_H
#define BUS_JSON_READER_H

#include "bus/json.h"
#include "bus/value.h"

#define JSON_KEYS_INLINE 64

/* One key of an object that is being read, for finding duplicates at its end. */
struct json_key {
    size_t at; /* of the key's head in the output */
    uint32_t len;
    uint32_t hash;
};

struct json_reader {
    const char *at;
    const char *end;
    const char *start;
    struct pack *out;
    bool json5;
    bool keys_once;
    unsigned depth_left;
    unsigned depth_max;
    bool is_violated;      /* fits no table: which rule it broke is found out later */
    int outcome;           /* JSON_E_* or a fault */
    const char *expected;  /* with JSON_E_SYNTAX, JSON_E_DEPTH */
    struct span twice;     /* with JSON_E_TWICE: the key as it is written */
    struct json_key *keys; /* of all objects that are open, innermost last */
    size_t keys_n;
    size_t keys_cap;
    struct json_key keys_inline[JSON_KEYS_INLINE];
};

/* A string literal as it stands in the text, without its quotes. */
struct json_literal {
    struct span raw;
    bool has_escape;
};

/* Stops with JSON_E_SYNTAX at r->at; `expected` is a constant text. Returns false. */
bool json_reader_fail(struct json_reader *r, const char *expected);
bool json_reader_stop(struct json_reader *r, int outcome);
void json_reader_init(struct json_reader *r, struct span text, const struct json_opts *opts, struct pack *out);
/* Describes where and why reading stopped. Counts lines and columns, which nobody did before. */
void json_reader_place(const struct json_reader *r, struct json_error *error);

/* --- json_read.c: values --- */
/* The top-level object against its table; `tail` are packed pairs to append. */
bool json_read_top(struct json_reader *r, const struct schema_type *type, struct span tail, uint32_t tail_n);

/* --- json_token.c: what lies between and inside values --- */
bool json_token_space_slow(struct json_reader *r);
/* At a quote: finds the end, checks UTF-8 and control characters, moves behind it. */
bool json_token_string(struct json_reader *r, struct json_literal *ret_literal);
/* Writes what the literal means to `dst`, which has room for its raw length. False with
 * r->at at the culprit. */
bool json_token_unescape(struct json_reader *r, struct span raw, char *dst, size_t *ret_len);
/* JSON5: a key without quotes. */
bool json_token_name(struct json_reader *r, struct json_literal *ret_literal);
bool json_token_word(struct json_reader *r, const char *word);

/* --- json_number.c --- */
bool json_number_read(struct json_reader *r, struct value_head *ret_number);

/* --- json_keys.c --- */
bool json_keys_push(struct json_reader *r, size_t at, struct span key);
/* Stops with JSON_E_TWICE when the key pushed last stands there already since `base`. */
bool json_keys_check_new(struct json_reader *r, size_t base, struct span written);
/* Drops all but the last of equal keys since `base`, from the output too; then forgets them. */
bool json_keys_settle(struct json_reader *r, size_t base, uint32_t *count);

/* Skips what may stand between tokens. */
static inline bool json_space(struct json_reader *r)
{
    if (r->at < r->end && (unsigned char)*r->at > ' ' && !r->json5) {
        return true;
    }
    return json_token_space_slow(r);
}

#endif
