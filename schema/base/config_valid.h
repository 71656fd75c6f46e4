/*
 * config_valid: everything that can be said about a config without starting anything: its
 * shape, and the values of the keys that are read.
 */
#ifndef SCHEMA_BASE_CONFIG_VALID_H
#define SCHEMA_BASE_CONFIG_VALID_H

#include "bus/pack.h"
#include "schema/base/config_document.h"

enum {
    CONFIG_VALID_E_REFUSED = 1, /* see error and issues */
};

/*
 * `error` tells the first problem with file and line, and how many more there are. `issues`
 * (may be NULL) gets a map for each, into an open array: path, message, allowedValues.
 */
int config_valid(const struct config_document *document, struct config_error *error, struct pack *issues);

/* Another problem, whose text begins with the place that it is about, if it is about one. `issues` may be NULL. */
void config_valid_issue_add(struct pack *issues, const struct config_error *error);

/* "gateway.mode: …; x: …" of the first three of packed issues. */
void config_valid_summary(struct span issues, char *out, size_t out_size);

#endif
