/*
 * config_copies: what whoever writes the config keeps beside it (.bak, .last-good, .rejected,
 * .clobbered) must not keep a secret in plain text that a change has replaced by a reference.
 */
#ifndef SCHEMA_BASE_CONFIG_COPIES_H
#define SCHEMA_BASE_CONFIG_COPIES_H

#include "schema/base/config_document.h"

/*
 * `before` has been written over by what is now `after`. In each copy of its files the references take the place of the
 * values; a copy that still holds one then is removed. 0, also when there is nothing to do, or a fault: copies may hold
 * them still.
 */
int config_copies_scrub(const struct config_document *before, const struct config_document *after);

#endif
