/*
 * chunked: takes the chunked transfer coding off a request body, piece by piece. Pure.
 */
#ifndef EDGE_HTTP_CHUNKED_H
#define EDGE_HTTP_CHUNKED_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define CHUNKED_LINE_MAX 256U     /* a size line with its extensions */
#define CHUNKED_TRAILER_MAX 8192U /* all trailer lines together */

enum chunked_state {
    CHUNKED_SIZE,
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER,
    CHUNKED_TRAILER_LF,
    CHUNKED_DONE,
};

/* Zeroed is ready to start. */
struct chunked {
    enum chunked_state state;
    uint64_t left;      /* of the chunk */
    uint32_t digits;    /* of the size line so far */
    uint32_t line_len;  /* of the size line, or of all trailers */
    uint32_t field_len; /* of the trailer line in hand */
    bool has_name;      /* its name and the colon have been read */
};

enum {
    CHUNKED_E_DATA = 1, /* *ret_data holds a piece of the body; call again */
    CHUNKED_E_MORE = 2, /* all input is used up */
    CHUNKED_E_END = 3,  /* the body is complete; `*input` is what follows it */
    CHUNKED_E_BAD = 4,  /* not the chunked coding */
};

/* Moves `*input` on. Always an outcome, never 0. */
int chunked_read(struct chunked *self, struct span *input, struct span *ret_data);

#endif
