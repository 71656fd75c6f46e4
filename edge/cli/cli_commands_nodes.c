/*
 * The commands below `openclaw nodes`.
 */
#include "edge/cli/cli_commands.h"

#include <stdint.h>

static const struct cli_opt filter_options[] = {
    { .name = "connected", .kind = CLI_OPT_FLAG, .summary = "Only those that are connected." },
    { .name = "last-connected",
      .kind = CLI_OPT_TEXT,
      .value = "duration",
      .summary = "Only those that connected within this time: 30m, 24h, 7d." },
    { 0 },
};

static const struct cli_opt node_options[] = {
    { .name = "node",
      .kind = CLI_OPT_TEXT,
      .required = true,
      .value = "node",
      .summary = "The node: its id, name or address, or the beginning of its id." },
    { 0 },
};

static const struct cli_opt rename_options[] = {
    { .name = "name", .kind = CLI_OPT_TEXT, .required = true, .value = "name", .summary = "The new name." },
    { 0 },
};

static const struct cli_opt invoke_options[] = {
    { .name = "command", .kind = CLI_OPT_TEXT, .required = true, .value = "command", .summary = "What to do." },
    { .name = "params", .kind = CLI_OPT_TEXT, .value = "json", .preset = "{}", .summary = "With what: a JSON object." },
    { .name = "invoke-timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "15000",
      .min = 1,
      .max = 3600000,
      .summary = "How long the node may take." },
    { .name = "idempotency-key",
      .kind = CLI_OPT_TEXT,
      .value = "key",
      .summary = "With the same key the command runs once, however often it is asked for." },
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "30000",
      .min = 1,
      .max = 86400000,
      .summary = "Give up after this many milliseconds, or 5 s after the node's time." },
    { 0 },
};

static const struct cli_opt *const plain_tables[] = { cli_commands_target, cli_commands_timeout, cli_commands_json,
                                                      NULL };
static const struct cli_opt *const filter_tables[] = { filter_options, cli_commands_target, cli_commands_timeout,
                                                       cli_commands_json, NULL };
static const struct cli_opt *const node_tables[] = { node_options, cli_commands_target, cli_commands_timeout,
                                                     cli_commands_json, NULL };
static const struct cli_opt *const rename_tables[] = { node_options,         rename_options,    cli_commands_target,
                                                       cli_commands_timeout, cli_commands_json, NULL };
static const struct cli_opt *const invoke_tables[] = { node_options, invoke_options, cli_commands_target,
                                                       cli_commands_json, NULL };

static const struct cli_example invoke_examples[] = {
    { "openclaw nodes invoke --node attic --command system.which --params '{\"bins\": [\"git\"]}'",
      "Which git does the node have?" },
    { 0 },
};

const struct cli_command cli_commands_nodes[] = {
    { .name = "status",
      .summary = "Show every node: whether it is connected, and what it can do.",
      .options = filter_tables,
      .run = cmd_nodes_status },
    { .name = "list",
      .summary = "Show paired nodes, and those that ask to be.",
      .options = filter_tables,
      .run = cmd_nodes_list },
    { .name = "describe", .summary = "Show one node.", .options = node_tables, .run = cmd_nodes_describe },
    { .name = "pending",
      .summary = "Show the nodes that ask to be paired.",
      .options = plain_tables,
      .run = cmd_nodes_pending },
    { .name = "approve",
      .summary = "Pair a node with the commands it asks for.",
      .args = "<requestId>",
      .args_min = 1,
      .args_max = 1,
      .options = plain_tables,
      .run = cmd_nodes_approve },
    { .name = "reject",
      .summary = "Refuse what a node asks for.",
      .args = "<requestId>",
      .args_min = 1,
      .args_max = 1,
      .options = plain_tables,
      .run = cmd_nodes_reject },
    { .name = "remove",
      .summary = "Forget the pairing of a node; its commands end at once.",
      .options = node_tables,
      .run = cmd_nodes_remove },
    { .name = "rename", .summary = "Give a node a name.", .options = rename_tables, .run = cmd_nodes_rename },
    { .name = "invoke",
      .summary = "Have a node do something, and print its answer as JSON.",
      .options = invoke_tables,
      .examples = invoke_examples,
      .run = cmd_nodes_invoke },
    { .name = "camera", .summary = "Pictures and films of a node's cameras.", .commands = cli_commands_camera },
    { .name = "screen", .summary = "Recordings of a node's screen.", .commands = cli_commands_screen },
    { .name = "canvas", .summary = "The canvas of a node.", .commands = cli_commands_canvas },
    { .name = "location", .summary = "Where a node is.", .commands = cli_commands_location },
    { .name = "notify",
      .summary = "Show a notification on a node.",
      .options = cli_commands_notify_tables,
      .run = cmd_nodes_notify },
    { .name = "push",
      .summary = "Send a test notification to a phone through Apple's service.",
      .options = cli_commands_push_tables,
      .run = cmd_nodes_push },
    { 0 },
};
