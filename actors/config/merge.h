/*
 * merge: lays one packed document over another. Pure.
 */
#ifndef ACTORS_CONFIG_MERGE_H
#define ACTORS_CONFIG_MERGE_H

#include "bus/base/span.h"
#include "bus/pack.h"

/*
 * Appends `low` overlaid by `high`: maps are merged key by key, anything else of `high`
 * replaces what was there. Keys keep the order of `low`, new ones follow.
 */
void merge_pack(struct span low, struct span high, struct pack *out);

#endif
