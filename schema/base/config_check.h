/*
 * config_check: every key of the config that this gateway reads has a value it can use.
 *
 * What it refuses names the path, what stands there, what was expected and the nearest
 * value that would do. Keys that nobody reads are left alone. Pure.
 */
#ifndef SCHEMA_BASE_CONFIG_CHECK_H
#define SCHEMA_BASE_CONFIG_CHECK_H

#include "bus/base/span.h"
#include "schema/base/config_file.h"

#define CONFIG_CHECK_AGENTS_MAX 256
#define CONFIG_CHECK_PROVIDERS_MAX 63
#define CONFIG_CHECK_PROVIDER_ID_MAX 127 /* bytes */

enum {
    CONFIG_CHECK_E_REFUSED = 1, /* the error tells the first problem, and how many more there are */
};

/* `doc` is the whole document after substitution; empty when there is no file. */
int config_check(struct span doc, struct config_error *error);

#endif
