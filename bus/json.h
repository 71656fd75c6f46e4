/*
 * json: one pass between JSON text and msgpack, with or without a schema table.
 *
 * The same parser reads strict JSON (RFC 8259) from peers and JSON5 (spec.json5.org)
 * from files people write. Numbers become int64/uint64 when they are whole and fit,
 * else double.
 */
#ifndef BUS_JSON_H
#define BUS_JSON_H

#include "bus/base/span.h"
#include "bus/codec.h"
#include "bus/pack.h"
#include "bus/schema_table.h"

struct json_opts {
    unsigned depth_max;             /* 0: 64 */
    bool json5;                     /* comments, trailing commas, unquoted keys, single quotes, hex, +, NaN … */
    bool keys_once;                 /* a key that stands twice in one object is refused; not those of a table */
    const struct schema_type *type; /* top-level object is checked against it, or NULL */
    struct span tail;               /* packed pairs to append to the top-level object, unchecked: what the edge */
    uint32_t tail_n;                /* adds (_client), packed once per connection; how many pairs */
};

struct json_error {
    size_t offset;             /* of the byte where reading stopped */
    unsigned line;             /* from 1 */
    unsigned column;           /* from 1, in bytes */
    char expected[160];        /* "',' or '}' after a property"; with JSON_E_TWICE the key */
    struct codec_error schema; /* the first rule broken, when the text is JSON but breaks the table */
    char message[1024];        /* then: every rule broken, as the protocol words and orders them */
};

enum {
    JSON_E_SYNTAX = 1, /* not JSON; line, column and expected are set */
    JSON_E_SCHEMA = 2, /* JSON that breaks the table; schema is set */
    JSON_E_DEPTH = 3,  /* nested deeper than depth_max (256 at most); line and column are set */
    JSON_E_TWICE = 4,  /* with keys_once: line and column are those of the second */
};

/*
 * Appends `text` to `out` as one msgpack value. Of equal keys the last counts; a surrogate
 * alone becomes U+FFFD. With a table: unknown keys are refused, or left out when the type
 * is SCHEMA_OPEN; INTERNAL fields are refused. `error` may be NULL. On anything but 0
 * `out` is as it was; a fault (-E2BIG over its limit, -ENOMEM) stays in it.
 */
int json_to_pack(struct span text, const struct json_opts *opts, struct pack *out, struct json_error *error);

/* Growable text; owned by the caller. */
struct text_buf {
    char *data;
    size_t len;
    size_t cap;
    bool is_secret; /* what it held is wiped before the memory goes */
};
void text_buf_deinit(struct text_buf *self);
/* 0 or -ENOMEM; keeps the contents. */
int text_buf_reserve(struct text_buf *self, size_t more);
int text_buf_add(struct text_buf *self, struct span bytes);

/* Appends one msgpack value (checked) as compact JSON. Bin becomes base64, ext null,
 * NaN and infinities null, malformed UTF-8 U+FFFD. 0, -ENOMEM, or -EPROTO for bytes that
 * would not pass wire_check. */
int json_from_value(struct span value, struct text_buf *out);
/* The same, indented by two spaces, for people. */
int json_from_value_pretty(struct span value, struct text_buf *out);
/* Appends a JSON string literal, escaped. */
int json_from_text(struct span text, struct text_buf *out);

/*
 * Splits the outermost object of a small frame without unpacking it: for each wanted
 * key, the raw JSON text of its value. Used by the edge to find type, id, method and
 * params before it knows the table. Keys are no longer than 63 bytes. A last member whose
 * key is NULL gets the first key (with its quotes) that nobody asked for. Of equal keys the
 * last counts. JSON_E_SYNTAX when the text is not one object, JSON_E_DEPTH; what is inside
 * nested values is not checked here.
 */
struct json_member {
    const char *key;
    struct span raw; /* set by json_split; empty when absent */
};
int json_split(struct span text, unsigned depth_max, struct json_member *members, size_t members_n,
               struct json_error *error);
/* A raw JSON string literal to text; appends to `out`. JSON_E_SYNTAX when it is none. */
int json_unquote(struct span raw, struct text_buf *out);

#endif
