/*
 * part: what of a config concerns one follower. Pure.
 */
#ifndef ACTORS_CONFIG_PART_H
#define ACTORS_CONFIG_PART_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/config_table.h"

/* The row of the table that an address belongs to, or NULL. */
const struct config_follower *part_row(struct span address);
/* Appends those of the packed list `paths` that the row names to the open array; returns how many. */
size_t part_paths_pack(const struct config_follower *row, struct span paths, struct pack *out);
/* Appends one map: what the row names of `config`, each where it stands there, and `credentials` (may be empty). */
void part_pack(const struct config_follower *row, struct span config, struct span credentials, struct pack *out);

#endif
