/*
 * secrets_profiles: changes of auth-profiles.json, and of the auth.json of old releases, in
 * memory.
 */
#ifndef EDGE_CLI_SECRETS_PROFILES_H
#define EDGE_CLI_SECRETS_PROFILES_H

#include <stdbool.h>

#include "edge/cli/secrets_files.h"
#include "edge/cli/secrets_plan.h"
#include "edge/cli/secrets_scrub.h"

enum {
    SECRETS_PROFILES_E_REFUSED = 1, /* see the error */
};

/* Does auth.profiles of the config say that this profile is one of OAuth? */
bool secrets_profiles_is_oauth(struct span config, struct span id);

/*
 * Puts the target's reference into the file, makes the profile when the target says of which provider,
 * and takes the value out, which is added to `gone`.
 */
int secrets_profiles_set(struct secrets_file *file, const struct secrets_target *target, struct secrets_values *gone,
                         struct config_error *error);

/*
 * Takes the keys and tokens of a provider (as provider_id_normalize writes it) out, which are added to
 * `gone`, and references that are none. 0 or a fault; a file that is no JSON object stays as it is.
 */
int secrets_profiles_scrub(struct secrets_file *file, const char *provider, struct secrets_values *gone,
                           bool *ret_has_oauth);

/* Takes the entries with API keys out. 0 or a fault; a file that is no JSON object stays as it is. */
int secrets_profiles_scrub_legacy(struct secrets_file *file);

#endif
