#include "edge/cli/cli_commands.h"

#include <stdint.h>

#include "edge/cli/cli.h"

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
    { .name = "tls-fingerprint",
      .kind = CLI_OPT_TEXT,
      .value = "sha256",
      .summary = "With wss://: the only certificate to accept, whoever signed it." },
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

static const char *const thinking_levels[] = { "off",   "minimal",  "low", "medium", "high",
                                               "xhigh", "adaptive", "max", "ultra",  NULL };

const struct cli_opt cli_commands_json[] = {
    { .name = "json", .kind = CLI_OPT_FLAG, .summary = "Print JSON for programs." },
    { 0 },
};

const struct cli_opt cli_commands_final[] = {
    { .name = "expect-final", .kind = CLI_OPT_FLAG, .summary = "Accepted for scripts; the answer is the last one." },
    { 0 },
};

static const struct cli_opt verbose_options[] = {
    { .name = "verbose", .kind = CLI_OPT_FLAG, .summary = "Have the gateway look again, and show everything." },
    { .name = "debug", .kind = CLI_OPT_FLAG, .summary = "The same as --verbose." },
    { 0 },
};

static const struct cli_opt status_options[] = {
    { .name = "deep",
      .kind = CLI_OPT_FLAG,
      .summary = "Have the gateway look at its channels now, and show its health." },
    { .name = "all", .kind = CLI_OPT_FLAG, .summary = "The same as --deep." },
    { .name = "verbose", .kind = CLI_OPT_FLAG, .summary = "The same as --deep." },
    { .name = "debug", .kind = CLI_OPT_FLAG, .summary = "The same as --deep." },
    { 0 },
};

static const char *const on_off[] = { "on", "off", NULL };

static const struct cli_opt agent_options[] = {
    { .name = "message", .letter = 'm', .kind = CLI_OPT_TEXT, .value = "text", .summary = "What to say to the agent." },
    { .name = "message-file",
      .kind = CLI_OPT_TEXT,
      .value = "path",
      .summary = "The same from a file of at most 4 MiB; - for standard input." },
    { .name = "agent", .kind = CLI_OPT_TEXT, .value = "id", .summary = "Which agent. Else the default one." },
    { .name = "session-id",
      .kind = CLI_OPT_TEXT,
      .value = "id",
      .summary = "Continue, or begin, the session of this id." },
    { .name = "session-key",
      .kind = CLI_OPT_TEXT,
      .value = "key",
      .summary = "Continue, or begin, the session of this key." },
    { .name = "to",
      .letter = 't',
      .kind = CLI_OPT_TEXT,
      .value = "dest",
      .summary = "The session of this correspondent, such as a phone number." },
    { .name = "model", .kind = CLI_OPT_TEXT, .value = "id", .summary = "Model for this turn: provider/model." },
    { .name = "thinking",
      .kind = CLI_OPT_CHOICE,
      .choices = thinking_levels,
      .value = "level",
      .summary = "How long to think: off, minimal, low, medium, high, or what the provider has." },
    { .name = "verbose",
      .kind = CLI_OPT_CHOICE,
      .value = "on|off",
      .choices = on_off,
      .summary = "Accepted for scripts; sessions here tell all there is." },
    { .name = "deliver", .kind = CLI_OPT_FLAG, .summary = "Send the reply to the channel of the session as well." },
    { .name = "channel", .kind = CLI_OPT_TEXT, .value = "channel", .summary = "Channel to deliver through." },
    { .name = "reply-to",
      .kind = CLI_OPT_TEXT,
      .value = "target",
      .summary = "Deliver to this correspondent instead." },
    { .name = "reply-channel",
      .kind = CLI_OPT_TEXT,
      .value = "channel",
      .summary = "Deliver through this channel instead." },
    { .name = "reply-account",
      .kind = CLI_OPT_TEXT,
      .value = "id",
      .summary = "Deliver from this account of the channel." },
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "seconds",
      .preset = "600",
      .min = 0,
      .max = 2592000,
      .summary = "End the turn after this many seconds, 0 for never." },
    { 0 },
};

static const struct cli_opt logs_options[] = {
    { .name = "follow", .kind = CLI_OPT_FLAG, .summary = "Go on with what is added, until Ctrl-C." },
    { .name = "limit",
      .kind = CLI_OPT_NUMBER,
      .value = "n",
      .preset = "200",
      .min = 1,
      .max = 5000,
      .summary = "At most this many lines." },
    { .name = "max-bytes",
      .kind = CLI_OPT_NUMBER,
      .value = "n",
      .preset = "250000",
      .min = 1,
      .max = 1000000,
      .summary = "At most this many bytes of the file." },
    { .name = "interval",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "1000",
      .min = 10,
      .max = 3600000,
      .summary = "With --follow: ask for more this often." },
    { .name = "plain", .kind = CLI_OPT_FLAG, .summary = "No styles." },
    { .name = "local-time", .kind = CLI_OPT_FLAG, .summary = "Times of this machine's zone." },
    { .name = "utc", .kind = CLI_OPT_FLAG, .summary = "Times of UTC, as without --local-time." },
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "30000",
      .min = 1,
      .max = 86400000,
      .summary = "Give up after this many milliseconds." },
    { 0 },
};

static const struct cli_opt *const health_tables[] = { verbose_options,      cli_commands_target, cli_commands_final,
                                                       cli_commands_timeout, cli_commands_json,   NULL };
static const struct cli_opt *const status_tables[] = { status_options, cli_commands_target, cli_commands_timeout,
                                                       cli_commands_json, NULL };
static const struct cli_opt *const agent_tables[] = { agent_options, cli_commands_target, cli_commands_json, NULL };
static const struct cli_opt *const logs_tables[] = { logs_options, cli_commands_target, cli_commands_final,
                                                     cli_commands_json, NULL };
static const struct cli_opt host_options[] = {
    { .name = "topology",
      .kind = CLI_OPT_TEXT,
      .value = "file",
      .summary = "The topology: the same as the gateway's, or one with `gateway` and this host alone." },
    { .name = "join",
      .kind = CLI_OPT_TEXT,
      .value = "endpoint",
      .summary = "Without a file: where, as tcp://HOST:PORT." },
    { .name = "curve", .kind = CLI_OPT_TEXT, .value = "key", .summary = "With --join: the gateway's public key." },
    { .name = "actors",
      .kind = CLI_OPT_TEXT,
      .is_repeated = true,
      .value = "pattern",
      .summary = "With --join: what the gateway has allowed this host. May be repeated." },
    { .name = "check", .kind = CLI_OPT_FLAG, .summary = "Say whether keys and topology let it start, and end." },
    { 0 },
};

static const struct cli_opt *const host_tables[] = { host_options, NULL };
static const struct cli_opt *const root_tables[] = { root_options, NULL };

static const struct cli_example agent_examples[] = {
    { "openclaw agent --message \"What is on today?\"", "Ask the default agent, in its main session." },
    { "openclaw agent --agent ops --session-id night -m \"Summarize the log\" --json", "The whole result as JSON." },
    { 0 },
};

static const struct cli_example logs_examples[] = {
    { "openclaw logs --follow", "Watch." },
    { "openclaw logs --json | jq 'select(.level == \"error\")'", "One JSON object per line." },
    { 0 },
};

static const struct cli_example root_examples[] = {
    { "openclaw --dev gateway --allow-unconfigured", "Start a gateway to try things out, on port 19001." },
    { "openclaw agent --agent main --message \"Good morning\"", "Talk to an agent." },
    { "openclaw gateway call sessions.list --json", "Call any method of the gateway." },
    { "openclaw bus tap", "Watch the messages between its actors." },
    { 0 },
};

static const struct cli_command root_commands[] = {
    { .name = "agent",
      .summary = "Say something to an agent and print its reply.",
      .details = "On a terminal the words appear as they come. Ctrl-C stops the agent too.",
      .options = agent_tables,
      .examples = agent_examples,
      .run = cmd_agent },
    { .name = "gateway",
      .summary = "Run the gateway, look at it, and call its methods.",
      .details = "Without a command it runs the gateway in the foreground, as `openclaw gateway run` does.",
      .commands = cli_commands_gateway,
      .preset = "run" },
    { .name = "channels",
      .summary = "The accounts through which people write: how each of them fares.",
      .commands = cli_commands_channels },
    { .name = "devices",
      .summary = "Pair devices with the gateway, and manage their tokens.",
      .commands = cli_commands_devices },
    { .name = "qr",
      .summary = "Make a setup code, with which one phone pairs itself.",
      .details = "The gateway makes it, so one must run. It is good for ten minutes and one device.",
      .options = cli_commands_qr_tables,
      .examples = cli_commands_qr_examples,
      .run = cmd_qr },
    { .name = "nodes",
      .summary = "Machines that lend the gateway their commands: pair them, and use them.",
      .commands = cli_commands_nodes },
    { .name = "approvals",
      .summary = "What may run without being asked: here, at the gateway, or on a node.",
      .commands = cli_commands_approvals },
    { .name = "exec-approvals",
      .summary = "The same as approvals.",
      .commands = cli_commands_approvals,
      .is_hidden = true },
    { .name = "system",
      .summary = "Tell the agent something, look at heartbeats and at who is here.",
      .commands = cli_commands_system },
    { .name = "setup",
      .summary = "Make the config and the directories that a first start needs.",
      .details = "What is there stays; only what is missing is added.",
      .options = cli_commands_setup_tables,
      .run = cmd_setup },
    { .name = "doctor",
      .summary = "Look for what is wrong with config, state directory and gateway, and mend it.",
      .details = "Without --fix it only looks, unless you say yes. Nothing is removed without a copy.",
      .options = cli_commands_doctor_tables,
      .run = cmd_doctor },
    { .name = "config", .summary = "Read, check and change the config file.", .commands = cli_commands_config },
    { .name = "secrets",
      .summary = "References to secrets instead of the secrets: look, plan, apply.",
      .usage_exit = CLI_EXIT_FAILED, /* 2 says that references lead nowhere */
      .commands = cli_commands_secrets },
    { .name = "bus", .summary = "Watch the bus inside a running gateway.", .commands = cli_commands_bus },
    { .name = "host",
      .summary = "Run one host of a gateway on this machine, and join it.",
      .args = "<name>",
      .details =
          "The host is one of its topology whose link is \"tcp\", or one that was allowed actors. It waits until the "
          "gateway lets it in: make a key here with `openclaw bus keygen`, and allow it there with `openclaw bus "
          "allow NAME KEY`, with --actors when its topology does not name it.",
      .args_min = 1,
      .args_max = 1,
      .options = host_tables,
      .run = cmd_host },
    { .name = "host-child",
      .summary = "One host of a gateway; started by the gateway itself.",
      .is_hidden = true,
      .run = cmd_host_child },
    { .name = "status",
      .summary = "Show the gateway, its agents, channels and sessions at a glance.",
      .options = status_tables,
      .run = cmd_status },
    { .name = "health", .summary = "Ask the running gateway how it is.", .options = health_tables, .run = cmd_health },
    { .name = "logs",
      .summary = "Show the end of the gateway's log.",
      .options = logs_tables,
      .examples = logs_examples,
      .run = cmd_logs },
    { 0 },
};

const struct cli_command cli_commands_root = {
    .name = "openclaw",
    .summary = "OpenClaw: an always-on gateway between people and AI agents.",
    .options = root_tables,
    .commands = root_commands,
    .examples = root_examples,
};
