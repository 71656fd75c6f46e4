/*
 * secrets_preflight: would a gateway still get at all its secrets once a plan is carried out?
 */
#ifndef EDGE_CLI_SECRETS_PREFLIGHT_H
#define EDGE_CLI_SECRETS_PREFLIGHT_H

#include <stdbool.h>

#include "edge/cli/secrets_project.h"

enum {
    SECRETS_PREFLIGHT_E_REFUSED = 1, /* see the error */
};

/*
 * Tries every reference that is in use in the config and the profiles as they shall be. One that cannot be
 * resolved then and could be before refuses the plan; one that could not be before is a warning. Programs
 * run only with `is_exec_allowed`.
 */
int secrets_preflight(struct secrets_project *project, bool is_exec_allowed, struct config_error *error);

#endif
