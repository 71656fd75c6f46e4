/*
 * config_redact: a document as clients may see it: secrets replaced by a marker. Pure.
 */
#ifndef SCHEMA_BASE_CONFIG_REDACT_H
#define SCHEMA_BASE_CONFIG_REDACT_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/config_edit.h"

#define REDACT_MARKER CONFIG_REDACTED

/*
 * Appends a copy of `doc`. Replaced are strings under names that say token, password,
 * secret, API key and the like, at every place of schema/config/credentials.json, everything under env, and URLs that
 * carry a password. A text that is only a `${NAME}` stays: it names a secret and is none. Returns whether anything was
 * replaced.
 */
bool config_redact(struct span doc, struct pack *out);

#endif
