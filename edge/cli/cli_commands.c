#include "edge/cli/cli_commands.h"

#include <stdint.h>

static const char *const log_levels[] = { "silent", "fatal", "error", "warn", "info", "debug", "trace", NULL };

static const struct cli_opt root_options[] = {
    { .name = "profile",
      .kind = CLI_OPT_TEXT,
      .value = "name",
      .summary = "Keep state and config of this gateway apart, under ~/.openclaw-<name>." },
    { .name = "dev", .kind = CLI_OPT_FLAG, .summary = "The profile \"dev\": state under ~/.openclaw-dev, port 19001." },
    { .name = "log-level",
      .kind = CLI_OPT_CHOICE,
      .value = "level",
      .choices = log_levels,
      .summary = "Lowest level that is logged: silent, fatal, error, warn, info, debug or trace." },
    { .name = "no-color", .kind = CLI_OPT_FLAG, .summary = "No colours, as with NO_COLOR=1." },
    { 0 },
};

const struct cli_opt cli_commands_target[] = {
    { .name = "url",
      .kind = CLI_OPT_TEXT,
      .value = "url",
      .summary = "WebSocket address of the gateway. Credentials of config and environment are not sent there." },
    { .name = "port",
      .kind = CLI_OPT_NUMBER,
      .value = "port",
      .min = 1,
      .max = 65535,
      .summary = "Port of a gateway on this machine, in place of the one in config or environment." },
    { .name = "token", .kind = CLI_OPT_TEXT, .value = "token", .summary = "Token of the gateway." },
    { .name = "password", .kind = CLI_OPT_TEXT, .value = "password", .summary = "Password of the gateway." },
    { 0 },
};

const struct cli_opt cli_commands_timeout[] = {
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "10000",
      .min = 1,
      .max = 86400000,
      .summary = "Give up after this many milliseconds." },
    { 0 },
};

const struct cli_opt cli_commands_json[] = {
    { .name = "json", .kind = CLI_OPT_FLAG, .summary = "Print JSON for programs." },
    { 0 },
};

static const struct cli_opt *const root_tables[] = { root_options, NULL };

static const struct cli_example root_examples[] = {
    { "openclaw --dev gateway --allow-unconfigured", "Start a gateway to try things out, on port 19001." },
    { "openclaw agent --agent main --message \"Good morning\"", "Talk to an agent." },
    { "openclaw gateway call sessions.list --json", "Call any method of the gateway." },
    { "openclaw bus tap", "Watch the messages between its actors." },
    { 0 },
};

static const struct cli_command root_commands[] = {
    { .name = "gateway",
      .summary = "Run the gateway, look at it, and call its methods.",
      .details = "Without a command it runs the gateway in the foreground, as `openclaw gateway run` does.",
      .commands = cli_commands_gateway,
      .preset = "run" },
    { .name = "bus", .summary = "Watch the bus inside a running gateway.", .commands = cli_commands_bus },
    { .name = "host-child",
      .summary = "One host of a gateway; started by the gateway itself.",
      .is_hidden = true,
      .run = cmd_host_child },
    { 0 },
};

const struct cli_command cli_commands_root = {
    .name = "openclaw",
    .summary = "OpenClaw: an always-on gateway between people and AI agents.",
    .options = root_tables,
    .commands = root_commands,
    .examples = root_examples,
};
