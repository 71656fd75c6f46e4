/*
 * later: methods of the protocol that nobody here serves yet, with the scope they need and
 * the capability that will bring them.
 */
#ifndef SCHEMA_LATER_H
#define SCHEMA_LATER_H

#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

/* Offsets into schema_later_text. */
struct schema_later {
    uint16_t name;
    uint16_t scope; /* 0: any authenticated connection, of any role */
    uint16_t capability;
};

/* Sorted by name in byte order; written by the generator. */
extern const struct schema_later schema_laters[];
extern const size_t schema_laters_n;
extern const char schema_later_text[];

/* NULL when there is no such method. */
const struct schema_later *schema_later_find(struct span name);
/* As in schema_method: NULL for any authenticated connection. */
const char *schema_later_scope(const struct schema_later *self);
const char *schema_later_capability(const struct schema_later *self);

#endif
