/*
 * cli_help: help of one command, from the same table that the parser uses.
 */
#ifndef EDGE_CLI_CLI_HELP_H
#define EDGE_CLI_CLI_HELP_H

#include "edge/cli/cli_opts.h"

/*
 * Writes help for the last named command of the line to standard output. A group whose
 * preset command was taken shows its commands and the options of the preset.
 */
void cli_help_print(const struct cli_line *line);

/* "openclaw gateway call" */
void cli_help_path(const struct cli_command *const *chain, size_t chain_n, char *out, size_t out_size);

#endif
