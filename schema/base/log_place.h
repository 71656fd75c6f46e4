/*
 * log_place: may the log be written there? Looks at the disk for links.
 */
#ifndef SCHEMA_BASE_LOG_PLACE_H
#define SCHEMA_BASE_LOG_PLACE_H

#include <stddef.h>

#include "bus/base/span.h"

/*
 * Why logging.file may not be `file`, in words; NULL when it may. In `state_dir` (may be
 * NULL) only the folder logs is for logs, and no file of `sources` may be one.
 */
const char *log_place_problem(struct span file, const char *home, const char *state_dir, const char *const *sources,
                              size_t sources_n);

#endif
