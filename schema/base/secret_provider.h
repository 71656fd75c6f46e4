/*
 * secret_provider: the file that a provider reads or runs, by its entry under secrets.providers, and whether it
 * may be trusted. Looks at the disk, and neither reads secrets nor runs anything.
 */
#ifndef SCHEMA_BASE_SECRET_PROVIDER_H
#define SCHEMA_BASE_SECRET_PROVIDER_H

#include "schema/base/secret_path.h"

/* Of a provider of source `file` or `exec`: 0 with the path without links, -1 with the problem. */
int secret_provider_look(struct span entry, char ret_real[PATH_MAX], struct secret_problem *problem);

/*
 * Every provider of `doc` (a whole config) whose file may not be trusted: `key` is "path" or "command".
 * A file of secrets that is not there yet is none of them.
 */
void secret_provider_each_untrusted(struct span doc,
                                    void (*on)(void *arg, struct span name, const char *key, const char *problem),
                                    void *arg);

#endif
