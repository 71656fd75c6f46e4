/*
 * config_trial: what a change of the config would come to, without making it: does the
 * result fit, and do the references to secrets in it lead anywhere.
 */
#ifndef EDGE_CLI_CONFIG_TRIAL_H
#define EDGE_CLI_CONFIG_TRIAL_H

#include "edge/cli/config_ops.h"
#include "edge/cli/config_writer.h"

/*
 * `writer` is read and holds the wanted config as `raw`; `ops` is what makes the difference
 * (for a patch, one operation whose value is the patch). Prints the verdict, as JSON with
 * --json; programs that know secrets are run with --allow-exec alone. Returns an exit code.
 */
int config_trial(struct config_writer *writer, const struct config_ops *ops, const char *what);

#endif
