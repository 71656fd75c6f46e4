/*
 * secret_surface: is the place of a secret in use? A reference where it is not needs no value,
 * and nothing fails when there is none. Pure; the caller brings the environment.
 */
#ifndef SCHEMA_BASE_SECRET_SURFACE_H
#define SCHEMA_BASE_SECRET_SURFACE_H

#include "bus/base/span.h"
#include "schema/base/config_env.h"
#include "schema/base/secret_target.h"

#define SECRET_SURFACE_TEXT_MAX 160U

struct secret_surface {
    bool is_active;
    char reason[SECRET_SURFACE_TEXT_MAX]; /* why it is, or is not */
};

/* `doc` is the whole config. */
void secret_surface_judge(struct span doc, const struct secret_target *target, struct config_lookup lookup,
                          struct secret_surface *ret_surface);

#endif
