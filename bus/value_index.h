/*
 * value_index: looks up many keys of one map. value_find walks the map for each; here that
 * costs a map of n members once n log n, and each look-up log n.
 */
#ifndef BUS_VALUE_INDEX_H
#define BUS_VALUE_INDEX_H

#include <stddef.h>

#include "bus/base/span.h"

struct value_member {
    struct span key;
    struct span item;
};

struct value_index {
    struct span map;              /* borrowed */
    struct value_member *members; /* sorted; NULL: few, or no memory for them, and the map is walked */
    size_t n;
};

/* Anything that is no map is one without members. */
struct value_index value_index(struct span map);
void value_index_deinit(struct value_index *self);

/* As value_find in that map. */
struct span value_index_find(const struct value_index *self, struct span key);

#endif
