/*
 * scopes: sets of operator scopes. Names that this gateway does not know are dropped, so
 * nothing a client invents can be granted. Pure.
 */
#ifndef ACTORS_AUTH_SCOPES_H
#define ACTORS_AUTH_SCOPES_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/pack.h"

/* A set is a mask: one bit per scope, in the alphabetical order of the names. */
#define SCOPES_N 10
#define SCOPES_ALL ((1U << SCOPES_N) - 1)
#define SCOPES_TEXT_MAX 256 /* every name, separated by commas, with terminator */

enum {
    SCOPES_ADMIN = 1U << 0,
    SCOPES_READ = 1U << 4,
    SCOPES_WRITE = 1U << 9,
};

/* A set that remembers the order in which its members came. */
struct scope_list {
    uint32_t n;
    uint8_t at[SCOPES_N]; /* bit numbers */
};

/* `list` is a packed array of strings; anything else is the empty set. */
uint32_t scopes_from_list(struct span list);
/* The same from the names in "operator.read, operator.write"; unknown ones are dropped. */
uint32_t scopes_from_header(struct span text);
/* With what they imply: admin adds read and write, write adds read. */
uint32_t scopes_expand(uint32_t mask);
/* Everything asked for is in what was approved: admin holds all, write what reads and talks. */
bool scopes_cover(uint32_t approved, uint32_t asked);
/* Those of `asked` that `approved` covers. */
uint32_t scopes_covered(uint32_t approved, uint32_t asked);
/* Name of the first scope in `mask`; NULL for none. */
const char *scopes_first(uint32_t mask);
/* As a packed array, alphabetical. */
void scopes_pack(uint32_t mask, struct pack *out);
/* The known names of `list`, once each, in the order asked for. */
void scopes_pack_asked(struct span list, struct pack *out);
/* "operator.read,operator.write", for the database. */
void scopes_format(uint32_t mask, char text[SCOPES_TEXT_MAX]);
uint32_t scopes_parse(const char *text);

uint32_t scope_list_mask(const struct scope_list *self);
/* Members that are new go to the end. */
void scope_list_add(struct scope_list *self, struct span list);
void scope_list_add_mask(struct scope_list *self, uint32_t mask);
void scope_list_merge(struct scope_list *self, const struct scope_list *other);
void scope_list_pack(const struct scope_list *self, struct pack *out);
void scope_list_format(const struct scope_list *self, char text[SCOPES_TEXT_MAX]);
void scope_list_parse(struct scope_list *self, const char *text);

#endif
