/*
 * codec_take: what decoding shares with the other halves of the codec. Not for others.
 */
#ifndef BUS_CODEC_TAKE_H
#define BUS_CODEC_TAKE_H

#include "bus/codec.h"

#define CODEC_DEPTH_MAX 128 /* of a body; twice what clients may nest, since bodies wrap their values */

/* The kinds that stay raw (any, list, map): proves the value at the cursor well-formed and within
 * its limits, moves behind it, and stores it as a span in `out` unless that is NULL. */
bool codec_take_raw(const struct schema_field *field, struct span *cursor, unsigned depth, char *out);

/* Says why `body` does not fit; returns CODEC_E_REFUSED. `error` may be NULL. */
int codec_take_refuse(struct codec_error *error, const struct schema_type *type, struct span body);

#endif
