/*
 * last_good: a copy of the last config that was accepted, for a start on a broken one.
 */
#ifndef ACTORS_CONFIG_LAST_GOOD_H
#define ACTORS_CONFIG_LAST_GOOD_H

#include <limits.h>

#include "bus/base/span.h"

/* "<path>.last-good"; false when that is too long for a path. */
bool last_good_path(const char *path, char ret_path[PATH_MAX]);
/* Replaces the copy (whole or not at all, 0600) unless it holds just this. 0 or a fault. */
int last_good_write(const char *path, struct span text);

#endif
