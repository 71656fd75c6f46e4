/*
 * The commands below `openclaw devices`.
 */
#include "edge/cli/cli_commands.h"

#include <stdint.h>

static const struct cli_opt approve_options[] = {
    { .name = "latest", .kind = CLI_OPT_FLAG, .summary = "Show the newest request, without approving it." },
    { 0 },
};

static const struct cli_opt clear_options[] = {
    { .name = "yes", .kind = CLI_OPT_FLAG, .summary = "Yes, remove them all." },
    { .name = "pending", .kind = CLI_OPT_FLAG, .summary = "Reject every request as well." },
    { 0 },
};

static const struct cli_opt token_options[] = {
    { .name = "device", .kind = CLI_OPT_TEXT, .required = true, .value = "id", .summary = "The device." },
    { .name = "role",
      .kind = CLI_OPT_TEXT,
      .required = true,
      .value = "role",
      .summary = "Its role: operator or node." },
    { 0 },
};

static const struct cli_opt scope_options[] = {
    { .name = "scope",
      .kind = CLI_OPT_TEXT,
      .is_repeated = true,
      .value = "scope",
      .summary = "A scope of the new token; may be given more than once. Else it keeps what it has." },
    { .name = "no-scopes", .kind = CLI_OPT_FLAG, .summary = "A token without any scope." },
    { 0 },
};

static const struct cli_opt rename_options[] = {
    { .name = "device", .kind = CLI_OPT_TEXT, .required = true, .value = "id", .summary = "The device." },
    { .name = "name", .kind = CLI_OPT_TEXT, .required = true, .value = "label", .summary = "What to call it." },
    { 0 },
};

/* --url says which gateway is asked, as everywhere. */
static const struct cli_opt join_options[] = {
    { .name = "public-url",
      .kind = CLI_OPT_TEXT,
      .value = "url",
      .summary = "The address by which the machine reaches the gateway." },
    { 0 },
};

static const struct cli_opt *const plain_tables[] = { cli_commands_target, cli_commands_timeout, cli_commands_json,
                                                      NULL };
static const struct cli_opt *const join_tables[] = { join_options, cli_commands_target, cli_commands_timeout,
                                                     cli_commands_json, NULL };
static const struct cli_opt *const approve_tables[] = { approve_options, cli_commands_target, cli_commands_timeout,
                                                        cli_commands_json, NULL };
static const struct cli_opt *const clear_tables[] = { clear_options, cli_commands_target, cli_commands_timeout,
                                                      cli_commands_json, NULL };
static const struct cli_opt *const rotate_tables[] = { token_options,        scope_options,     cli_commands_target,
                                                       cli_commands_timeout, cli_commands_json, NULL };
static const struct cli_opt *const rename_tables[] = { rename_options, cli_commands_target, cli_commands_timeout,
                                                       cli_commands_json, NULL };
static const struct cli_opt *const revoke_tables[] = { token_options, cli_commands_target, cli_commands_timeout,
                                                       cli_commands_json, NULL };

static const struct cli_example approve_examples[] = {
    { "openclaw devices approve", "Show the newest request." },
    { "openclaw devices approve 52aa2719-c785-42b2-b29b-f341a93693f2", "Approve that one." },
    { 0 },
};

const struct cli_command cli_commands_devices[] = {
    { .name = "list",
      .summary = "Show who is paired, and who asks to be.",
      .options = plain_tables,
      .run = cmd_devices_list },
    { .name = "approve",
      .summary = "Pair a device, or give it what it asks for.",
      .args = "[requestId]",
      .args_max = 1,
      .options = approve_tables,
      .examples = approve_examples,
      .run = cmd_devices_approve },
    { .name = "reject",
      .summary = "Refuse a request.",
      .args = "<requestId>",
      .args_min = 1,
      .args_max = 1,
      .options = plain_tables,
      .run = cmd_devices_reject },
    { .name = "join-code",
      .summary = "Make a link with which a machine pairs itself as a node.",
      .options = join_tables,
      .run = cmd_devices_join_code },
    { .name = "remove",
      .summary = "Forget a paired device; its tokens end at once.",
      .args = "<deviceId>",
      .args_min = 1,
      .args_max = 1,
      .options = plain_tables,
      .run = cmd_devices_remove },
    { .name = "clear", .summary = "Forget every paired device.", .options = clear_tables, .run = cmd_devices_clear },
    { .name = "rename",
      .summary = "Give a paired device a name of yours.",
      .options = rename_tables,
      .run = cmd_devices_rename },
    { .name = "rotate",
      .summary = "Give a device a new token for a role.",
      .options = rotate_tables,
      .run = cmd_devices_rotate },
    { .name = "revoke",
      .summary = "Take a device's token for a role away.",
      .options = revoke_tables,
      .run = cmd_devices_revoke },
    { 0 },
};
