/*
 * config_advice: which command helps a config that does not do, said on standard error.
 */
#ifndef EDGE_CLI_CONFIG_ADVICE_H
#define EDGE_CLI_CONFIG_ADVICE_H

#include "edge/cli/cli_paths.h"

/*
 * `openclaw setup` where there is none, whose it is where it cannot be read, `openclaw doctor`
 * where it is no JSON5 or one of earlier days; else not a word.
 */
void config_advice_give(const struct cli_paths *paths);
/* For one without a token: the same, else `openclaw setup`. */
void config_advice_token(const struct cli_paths *paths);

#endif
