/*
 * The commands below `openclaw system`.
 */
#include "edge/cli/cli_commands.h"

#include <stdint.h>

static const char *const modes[] = { "now", "next-heartbeat", NULL };

static const struct cli_opt event_options[] = {
    { .name = "text",
      .kind = CLI_OPT_TEXT,
      .required = true,
      .value = "text",
      .summary = "What the agent shall know." },
    { .name = "mode",
      .kind = CLI_OPT_CHOICE,
      .value = "mode",
      .choices = modes,
      .preset = "next-heartbeat",
      .summary = "When it shall look: now, or next-heartbeat." },
    { .name = "session-key",
      .kind = CLI_OPT_TEXT,
      .value = "key",
      .summary = "Tell and wake this session instead of the main one." },
    { 0 },
};

static const struct cli_opt *const plain_tables[] = { cli_commands_target, cli_commands_final, cli_commands_timeout,
                                                      cli_commands_json, NULL };
static const struct cli_opt *const event_tables[] = { event_options,        cli_commands_target, cli_commands_final,
                                                      cli_commands_timeout, cli_commands_json,   NULL };

static const struct cli_command heartbeat_commands[] = {
    { .name = "last",
      .summary = "Show the newest heartbeat.",
      .options = plain_tables,
      .run = cmd_system_heartbeat_last },
    { .name = "enable", .summary = "Turn heartbeats on.", .options = plain_tables, .run = cmd_system_heartbeat_enable },
    { .name = "disable",
      .summary = "Turn heartbeats off.",
      .options = plain_tables,
      .run = cmd_system_heartbeat_disable },
    { 0 },
};

const struct cli_command cli_commands_system[] = {
    { .name = "event",
      .summary = "Tell the agent something, in its main session.",
      .options = event_tables,
      .run = cmd_system_event },
    { .name = "heartbeat", .summary = "Look at heartbeats, turn them on or off.", .commands = heartbeat_commands },
    { .name = "presence",
      .summary = "Show who is or was connected.",
      .options = plain_tables,
      .run = cmd_system_presence },
    { 0 },
};
