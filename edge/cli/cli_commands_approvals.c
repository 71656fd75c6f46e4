/*
 * The commands below `openclaw approvals`.
 */
#include "edge/cli/cli_commands.h"

#include <stdint.h>

static const struct cli_opt place_options[] = {
    { .name = "gateway", .kind = CLI_OPT_FLAG, .summary = "The file of the gateway's machine, through the gateway." },
    { .name = "node",
      .kind = CLI_OPT_TEXT,
      .value = "node",
      .summary = "The file of that node: its id, name or address, or the beginning of its id." },
    { 0 },
};

static const struct cli_opt set_options[] = {
    { .name = "file", .kind = CLI_OPT_TEXT, .value = "path", .summary = "The new file, JSON or JSON5." },
    { .name = "stdin", .kind = CLI_OPT_FLAG, .summary = "Read it from standard input." },
    { 0 },
};

static const struct cli_opt agent_options[] = {
    { .name = "agent", .kind = CLI_OPT_TEXT, .value = "id", .preset = "*", .summary = "For which agent; * is all." },
    { 0 },
};

static const struct cli_opt resolve_options[] = {
    { .name = "reason", .kind = CLI_OPT_TEXT, .value = "text", .summary = "Say why; shown here alone." },
    { .name = "expires-in-days",
      .kind = CLI_OPT_NUMBER,
      .value = "days",
      .min = 1,
      .max = 3650,
      .summary = "With allow-always: how long that holds. Else until it is revoked." },
    { 0 },
};

static const struct cli_opt limit_options[] = {
    { .name = "limit",
      .kind = CLI_OPT_NUMBER,
      .value = "n",
      .min = 1,
      .max = 500,
      .summary = "At most this many, the newest first. Else 200." },
    { 0 },
};

static const struct cli_opt *const plain_tables[] = { cli_commands_target, cli_commands_timeout, cli_commands_json,
                                                      NULL };
static const struct cli_opt *const resolve_tables[] = { resolve_options, cli_commands_target, cli_commands_timeout,
                                                        cli_commands_json, NULL };
static const struct cli_opt *const grants_tables[] = { limit_options, cli_commands_target, cli_commands_timeout,
                                                       cli_commands_json, NULL };
static const struct cli_opt *const get_tables[] = { place_options, cli_commands_target, cli_commands_timeout,
                                                    cli_commands_json, NULL };
static const struct cli_opt *const set_tables[] = { place_options,        set_options,       cli_commands_target,
                                                    cli_commands_timeout, cli_commands_json, NULL };
static const struct cli_opt *const list_tables[] = { place_options,        agent_options,     cli_commands_target,
                                                     cli_commands_timeout, cli_commands_json, NULL };

static const struct cli_example list_examples[] = {
    { "openclaw approvals allowlist add '~/Projects/**/bin/rg'", "Everybody may run rg of these folders." },
    { "openclaw approvals allowlist add --agent main --node attic /usr/bin/uptime", "Only main, and on that node." },
    { 0 },
};

static const struct cli_command allowlist_commands[] = {
    { .name = "add",
      .summary = "Let commands that match a pattern run without being asked.",
      .args = "<pattern>",
      .args_min = 1,
      .args_max = 1,
      .options = list_tables,
      .examples = list_examples,
      .run = cmd_approvals_allow },
    { .name = "remove",
      .summary = "Take a pattern off the list.",
      .args = "<pattern>",
      .args_min = 1,
      .args_max = 1,
      .options = list_tables,
      .run = cmd_approvals_disallow },
    { 0 },
};

static const struct cli_command grants_commands[] = {
    { .name = "list",
      .summary = "Show what was allowed always, newest first.",
      .options = grants_tables,
      .run = cmd_approvals_grants_list },
    { .name = "revoke",
      .summary = "End a grant: the next time people are asked again.",
      .args = "<grantId>",
      .args_min = 1,
      .args_max = 1,
      .options = plain_tables,
      .run = cmd_approvals_grants_revoke },
    { 0 },
};

static const struct cli_example resolve_examples[] = {
    { "openclaw approvals resolve 52aa2719-c785-42b2-b29b-f341a93693f2 allow-once", "Let it run this once." },
    { "openclaw approvals resolve 52aa2719-c785-42b2-b29b-f341a93693f2 allow-always --expires-in-days 30",
      "Do not ask again for a month." },
    { 0 },
};

const struct cli_command cli_commands_approvals[] = {
    { .name = "pending",
      .summary = "Show what waits for somebody's leave.",
      .options = plain_tables,
      .run = cmd_approvals_pending },
    { .name = "resolve",
      .summary = "Decide about something that waits.",
      .args = "<id> <decision>",
      .args_min = 2,
      .args_max = 2,
      .options = resolve_tables,
      .examples = resolve_examples,
      .run = cmd_approvals_resolve },
    { .name = "grants", .summary = "What was allowed always: look, and revoke.", .commands = grants_commands },
    { .name = "get",
      .summary = "Show what may run without being asked.",
      .options = get_tables,
      .run = cmd_approvals_get },
    { .name = "set",
      .summary = "Replace the file.",
      .details = "Without --gateway or --node it is the file of this machine, whether a gateway runs or not.",
      .options = set_tables,
      .run = cmd_approvals_set },
    { .name = "allowlist", .summary = "Add a pattern, or take one off.", .commands = allowlist_commands },
    { 0 },
};
