/*
 * config_mend: may a config take the place of another although it cannot be used either? When less is wrong with it,
 * and nothing that is right in the other.
 */
#ifndef SCHEMA_BASE_CONFIG_MEND_H
#define SCHEMA_BASE_CONFIG_MEND_H

#include <stdbool.h>

#include "schema/base/config_document.h"
#include "schema/base/gateway_config.h"

/* A config as it was loaded. */
struct config_mend_side {
    const struct config_document *document;
    bool is_loaded;                   /* its files make up a document */
    const struct config_error *error; /* why they do not */
};

/*
 * Of files that make up no document, both times for the same reason, the config file counts by itself. A step is one of
 * several changes, which need not leave less wrong by itself.
 */
bool config_mend_is(const struct config_mend_side *before, const struct config_mend_side *after,
                    const struct gateway_overrides *overrides, bool is_step);

#endif
