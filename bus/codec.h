/*
 * codec: between generated structs and msgpack bodies, by walking schema tables.
 */
#ifndef BUS_CODEC_H
#define BUS_CODEC_H

#include "bus/base/span.h"
#include "bus/pack.h"
#include "bus/schema_table.h"

/* Where and why a body was refused; text is for people and names the field path. */
struct codec_error {
    char path[128]; /* "a/b/0/c", without a leading slash; empty for the whole */
    char text[256]; /* "must be string", "must have required property 'x'" … */
};

enum {
    CODEC_E_REFUSED = 1, /* the bytes do not fit the table; see codec_error */
};

/*
 * Unpacks `body` (any bytes; wire_check is done here) into `out`, of type->size bytes,
 * zeroed first. Spans in `out` borrow from `body`. Unknown keys are ignored; missing
 * required fields, fields that stand there twice, wrong types, broken limits and more than
 * 128 levels are CODEC_E_REFUSED. `error` may be NULL, here and below.
 */
int codec_decode(const struct schema_type *type, struct span body, void *out, struct codec_error *error);

/* Appends the struct `in` as one msgpack map. Limits are checked in the same way
 * (CODEC_E_REFUSED, and `pack` is as it was); a field whose has_<name> is false is left
 * out. An empty span is an empty list or map, nil for any, and nil for a field that is
 * required and nullable. A fault is the pack's. */
int codec_encode(const struct schema_type *type, const void *in, struct pack *pack, struct codec_error *error);

/*
 * Copies one msgpack value, replacing every field that the table marks sensitive by
 * the string "[redacted]"; `type` NULL copies unchanged. CODEC_E_REFUSED for bytes that
 * would not pass wire_check; a fault is the pack's.
 */
int codec_redact(const struct schema_type *type, struct span body, struct pack *out);

/* One element of a LIST of structs: decodes `item` as `field->type`. */
int codec_decode_item(const struct schema_field *item, struct span value, void *out, struct codec_error *error);

#endif
