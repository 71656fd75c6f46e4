/*
 * config_loss: does a change throw away most of a config? Secrets do not count: a short
 * reference in the place of a long secret is no loss. Pure.
 */
#ifndef SCHEMA_BASE_CONFIG_LOSS_H
#define SCHEMA_BASE_CONFIG_LOSS_H

#include <stdbool.h>

#include "bus/base/span.h"

#define CONFIG_LOSS_CONTENT_MIN 256U /* bytes, packed, from which on losing more than half counts */

/* A file and the document that it is a part of (includes in their place), before and after. */
struct config_loss {
    struct span text_before;
    struct span text_after;
    struct span doc_before;
    struct span doc_after;
};

/* Comments stay when what they are about goes, so the text alone does not tell; without them the document does not. */
bool config_loss_is(const struct config_loss *self);

#endif
