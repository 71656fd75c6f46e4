/*
 * config_valid: everything that can be said about a config without starting anything: its
 * shape, and the values of the keys that are read.
 */
#ifndef SCHEMA_BASE_CONFIG_VALID_H
#define SCHEMA_BASE_CONFIG_VALID_H

#include "schema/base/config_issues.h"

enum {
    CONFIG_VALID_E_REFUSED = 1, /* see error and issues */
};

/*
 * Everything that is wrong goes to `issues` (may be NULL); `error` tells the first, with file and line, and how many
 * more there are.
 */
int config_valid(const struct config_document *document, struct config_error *error, struct config_issues *issues);

#endif
