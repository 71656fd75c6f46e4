/*
 * secrets_plan: the file that `openclaw secrets configure` makes and `openclaw secrets apply`
 * carries out: which credentials become references, which providers come and go, what is
 * scrubbed. Strict: a key that nobody knows, a path that is no credential's and a reference
 * that could never be resolved refuse the whole plan. Pure.
 */
#ifndef EDGE_CLI_SECRETS_PLAN_H
#define EDGE_CLI_SECRETS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/pack.h"
#include "edge/cli/secrets_place.h"
#include "schema/base/config_file.h"
#include "schema/base/secret_ref.h"

#define SECRETS_PLAN_BYTES_MAX (16U << 20U)
#define SECRETS_PLAN_TARGETS_MAX 4096U

struct secrets_target {
    struct secrets_place place;
    struct secret_ref ref;
    struct span agent;            /* whose profiles; empty: the place is in the config */
    struct span profile_provider; /* of a profile that is made; may be empty */
};

struct secrets_plan {
    struct pack doc; /* what the others borrow from */
    struct secrets_target *targets;
    size_t targets_n;
    struct span upserts; /* map of providers, or empty */
    struct span deletes; /* list of names, or empty */
    bool is_env_scrubbed;
    bool is_profiles_scrubbed;
    bool is_legacy_scrubbed;
};

enum {
    SECRETS_PLAN_E_REFUSED = 1, /* see the error */
};

/* `self` is initialised by the call and must be deinitialised whatever it returns. */
int secrets_plan_parse(struct span text, struct secrets_plan *self, struct config_error *error);
void secrets_plan_deinit(struct secrets_plan *self);

/* Does carrying it out run programs? */
bool secrets_plan_has_exec(const struct secrets_plan *self);

#endif
