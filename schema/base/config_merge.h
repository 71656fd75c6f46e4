/*
 * config_merge: puts one packed document over another. Pure.
 */
#ifndef SCHEMA_BASE_CONFIG_MERGE_H
#define SCHEMA_BASE_CONFIG_MERGE_H

#include "bus/base/span.h"
#include "bus/pack.h"

/*
 * Appends `low` overlaid by `high`: maps are merged key by key, anything else of `high`
 * replaces what `low` has there. An empty span is nothing.
 */
void config_merge(struct span low, struct span high, struct pack *out);
/* The same, but lists on both sides are joined. */
void config_merge_join(struct span low, struct span high, struct pack *out);
/*
 * The same, but lists whose entries all have an `id` of their own are merged by it: an entry of
 * `high` is laid over that of the same id or comes after the others, and none of `low` goes.
 */
void config_merge_ids(struct span low, struct span high, struct pack *out);
/* JSON merge patch (RFC 7396): null removes a key, everything else replaces. */
void config_merge_patch(struct span low, struct span patch, struct pack *out);

#endif
