/*
 * cli_down: which actors of the gateway on this machine are down, and why, in the words of
 * its supervising process. That one answers when nobody else there can.
 */
#ifndef EDGE_CLI_CLI_DOWN_H
#define EDGE_CLI_CLI_DOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/pack.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_target.h"

#define CLI_DOWN_TEXT_MAX 480

/*
 * Appends the rows of `openclaw bus actors` (one packed array) to `ret_actors` when the
 * gateway at `target` is the one of this state directory, and one of its actors has
 * crashed. `ret_text` names those: "auth is gave_up: /x/auth.sqlite: the file is damaged".
 * False, with nothing set and nothing printed, when there is nothing to tell.
 */
bool cli_down_find(const struct cli *cli, const struct cli_target *target, struct pack *ret_actors, char *ret_text,
                   size_t len);

#endif
