/*
 * The commands below `openclaw channels`.
 */
#include "edge/cli/cli_commands.h"

#include <stdint.h>

static const struct cli_opt status_options[] = {
    { .name = "channel", .kind = CLI_OPT_TEXT, .value = "name", .summary = "Only this channel." },
    { .name = "probe", .kind = CLI_OPT_FLAG, .summary = "Ask the far side of every account first." },
    { 0 },
};

static const struct cli_opt *const status_tables[] = { status_options, cli_commands_target, cli_commands_timeout,
                                                       cli_commands_json, NULL };

static const struct cli_example status_examples[] = {
    { "openclaw channels status --probe", "Does every account reach its network?" },
    { 0 },
};

const struct cli_command cli_commands_channels[] = {
    { .name = "status",
      .summary = "Show every account: its state, its last messages, and what waits to be sent.",
      .options = status_tables,
      .examples = status_examples,
      .run = cmd_channels_status },
    { 0 },
};
