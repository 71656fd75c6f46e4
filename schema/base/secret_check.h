/*
 * secret_check: do the references of a config, and its secrets.providers, keep the rules that
 * shapes cannot say, and is no secret the marker that hides secrets? Whether there are values is
 * not asked. Pure.
 */
#ifndef SCHEMA_BASE_SECRET_CHECK_H
#define SCHEMA_BASE_SECRET_CHECK_H

#include "bus/base/span.h"
#include "schema/base/config_shape.h"

/* Calls `on` for each issue in sections that are served, and for each marker anywhere. Returns how many. */
unsigned secret_check(struct span doc, void (*on)(void *arg, const struct config_shape_issue *issue), void *arg);

#endif
