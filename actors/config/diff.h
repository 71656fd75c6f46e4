/*
 * diff: which paths of two documents differ. Pure.
 */
#ifndef ACTORS_CONFIG_DIFF_H
#define ACTORS_CONFIG_DIFF_H

#include "bus/base/span.h"
#include "bus/pack.h"

#define DIFF_PATHS_MAX 1024
#define DIFF_PATH_MAX 512

/*
 * Appends a packed array of dotted paths: of maps those of the leaves, also where one side has none; lists count as
 * one. When there are more than fit, the array holds one empty path: everything.
 */
void diff_pack(struct span before, struct span after, struct pack *out);

#endif
