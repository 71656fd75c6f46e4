/*
 * range: which part of a file is asked for (RFC 9110 §14.2). One range of bytes is served; several at once, other
 * units, and what is no range are as if nothing had been said, which the RFC allows. Pure.
 */
#ifndef EDGE_HTTP_RANGE_H
#define EDGE_HTTP_RANGE_H

#include <stdint.h>

#include "bus/base/span.h"

enum range_kind {
    RANGE_WHOLE,  /* all of it, as without a range */
    RANGE_PART,   /* `len` bytes from `first` on, at least one */
    RANGE_BEYOND, /* nothing of it is there: 416 */
};

struct range {
    enum range_kind kind;
    uint64_t first;
    uint64_t len;
};

/*
 * `field` is Range, `if_range` is If-Range (each may be empty) of a request for a file of `size` bytes, whose entity
 * tag is `etag`, or "" when it has none that may be compared.
 */
struct range range_read(struct span field, struct span if_range, uint64_t size, const char *etag);

#define RANGE_FIELD_MAX 96U
/* "Content-Range: bytes 0-9/20" (or "bytes *" "/20") as a line with its CRLF; empty for the whole. */
struct span range_field(const struct range *self, uint64_t size, char field[RANGE_FIELD_MAX]);

#endif
