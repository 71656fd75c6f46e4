/*
 * query: the query of a target, pair by pair, as application/x-www-form-urlencoded has it
 * (WHATWG URL §5.1). Pure.
 */
#ifndef EDGE_HTTP_QUERY_H
#define EDGE_HTTP_QUERY_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"

/* Takes the next pair off `query`, still encoded; false when there is none. */
bool query_next(struct span *query, struct span *ret_name, struct span *ret_value);
/* Decodes "%41" and "+"; what is no code stays as it is. `out` has room for text.len bytes; returns how many it took.
 */
size_t query_decode(struct span text, char *out);
/* Is there a pair of that name, however it is written? */
bool query_has(struct span query, const char *name);
/* Appends a map of the pairs whose name and value are UTF-8, the last of a name alone, `most` names at most. */
void query_pack(struct span query, size_t most, struct pack *out);

#endif
