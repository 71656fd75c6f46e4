/*
 * scope: what an operator may be allowed, and which scopes bring others along.
 */
#ifndef SCHEMA_SCOPE_H
#define SCHEMA_SCOPE_H

#include <stddef.h>
#include <stdint.h>

struct schema_scope {
    const char *name;
    uint32_t grants; /* bit i: its holder has the scope of row i, too */
    uint8_t since;   /* first protocol that has it */
};

/* Written by the generator from scopes.json; at most 32. */
extern const struct schema_scope schema_scopes[];
extern const size_t schema_scopes_n;

#endif
