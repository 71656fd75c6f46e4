/*
 * cli_format: numbers and values of the protocol as people read them. Pure.
 */
#ifndef EDGE_CLI_CLI_FORMAT_H
#define EDGE_CLI_CLI_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define CLI_FORMAT_LEN 32

/* "120 ms", "45 s", "3 min", "2 h", "5 d" */
const char *cli_format_span(int64_t ms, char out[CLI_FORMAT_LEN]);
/* "just now", "45 s ago"; "never" for a negative one. The text may be static. */
const char *cli_format_age(int64_t ms, char out[CLI_FORMAT_LEN]);
/* "812 B", "3.4 kB", "12 MB" */
const char *cli_format_bytes(uint64_t bytes, char out[CLI_FORMAT_LEN]);
/* "9999", "12k", "3.4M" */
const char *cli_format_count(int64_t number, char out[CLI_FORMAT_LEN]);
/* A terminated copy of a string value, cut to fit; `fallback` for anything else. */
const char *cli_format_str(struct span value, const char *fallback, char *out, size_t out_size);

#endif
