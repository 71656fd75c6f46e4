/*
 * scopes: sets of operator scopes. Names that this gateway does not know are dropped, so
 * nothing a client invents can be granted. Pure.
 */
#ifndef ACTORS_AUTH_SCOPES_H
#define ACTORS_AUTH_SCOPES_H

#include <stdint.h>

#include "bus/base/span.h"
#include "bus/pack.h"

/* A set is a mask: one bit per scope, in the alphabetical order of the names. */
#define SCOPES_ALL 0x3fU
#define SCOPES_TEXT_MAX 160 /* every name, separated by commas, with terminator */

/* `list` is a packed array of strings; anything else is the empty set. */
uint32_t scopes_from_list(struct span list);
/* With what they imply: admin adds read and write, write adds read. */
uint32_t scopes_expand(uint32_t mask);
/* Everything asked for is in what was approved, implications included. */
bool scopes_cover(uint32_t approved, uint32_t asked);
/* As a packed array, alphabetical. */
void scopes_pack(uint32_t mask, struct pack *out);
/* The known names of `list`, once each, in the order asked for. */
void scopes_pack_asked(struct span list, struct pack *out);
/* "operator.read,operator.write", for the database. */
void scopes_format(uint32_t mask, char text[SCOPES_TEXT_MAX]);
uint32_t scopes_parse(const char *text);

#endif
