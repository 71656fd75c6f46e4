/*
 * secret_path: may this file be trusted with secrets? Owner and mode are those of the
 * descriptor that is then read, so that nothing can be put in its place in between.
 */
#ifndef SCHEMA_BASE_SECRET_PATH_H
#define SCHEMA_BASE_SECRET_PATH_H

#include <limits.h>
#include <stdbool.h>

#include "bus/base/span.h"
#include "schema/base/secret_answer.h"

struct secret_path_rules {
    bool is_link_fine;     /* the path may be a symbolic link; what it leads to must pass */
    bool is_insecure_fine; /* owner and mode are not looked at */
    bool is_read_fine;     /* others may read it, but not write it */
    bool is_run;           /* by its path: who may change a directory above it could put another in its place */
    struct span trusted;   /* packed array of directories it must be in; empty: any */
};

/*
 * Opens a regular file for reading (O_CLOEXEC). `ret_real` is the path without links. -1 with
 * the problem when it may not be used. Looks at the disk, so it may block.
 */
int secret_path_open(const char *path, const struct secret_path_rules *rules, char ret_real[PATH_MAX],
                     struct secret_problem *problem);

/* Where this user is at home; NULL when nobody knows. */
const char *secret_path_home(void);
/* "~" and "~/x" become paths below `home`; the rest stays. False when too long. */
bool secret_path_expand(struct span path, const char *home, char ret_path[PATH_MAX]);

#endif
