/*
 * secrets_audit: looks through the config and the state directory for secrets in plain text, for
 * references that lead nowhere or are never used, and for what old releases left. Reads only.
 */
#ifndef EDGE_CLI_SECRETS_AUDIT_H
#define EDGE_CLI_SECRETS_AUDIT_H

#include <stdbool.h>

#include "edge/cli/cli_paths.h"
#include "edge/cli/secrets_report.h"

/* `report` is initialised, and ended by the call. 0 or a fault; what cannot be read is a finding. */
int secrets_audit(const struct cli_paths *paths, bool is_exec_allowed, struct secrets_report *report);

#endif
