/*
 * The commands below `openclaw gateway`.
 */
#include "edge/cli/cli_commands.h"

static const char *const bind_modes[] = { "loopback", "lan", "tailnet", "auto", "custom", NULL };
static const char *const log_styles[] = { "auto", "full", "compact", NULL };
static const char *const auth_modes[] = { "none", "token", "password", "trusted-proxy", NULL };

static const struct cli_opt run_options[] = {
    { .name = "port",
      .kind = CLI_OPT_NUMBER,
      .value = "port",
      .min = 0,
      .max = 65535,
      .summary = "Port to listen on, 0 for any free one. Else OPENCLAW_GATEWAY_PORT, gateway.port, 18789." },
    { .name = "bind",
      .kind = CLI_OPT_CHOICE,
      .value = "mode",
      .choices = bind_modes,
      .summary = "Where to listen: loopback, lan, tailnet, auto or custom. Else gateway.bind." },
    { .name = "auth",
      .kind = CLI_OPT_CHOICE,
      .value = "mode",
      .choices = auth_modes,
      .summary = "How clients prove themselves: none, token, password or trusted-proxy. Else gateway.auth.mode." },
    { .name = "token",
      .kind = CLI_OPT_TEXT,
      .value = "token",
      .summary = "Token that clients must present. Else OPENCLAW_GATEWAY_TOKEN, gateway.auth.token." },
    { .name = "password",
      .kind = CLI_OPT_TEXT,
      .value = "password",
      .summary = "Password that clients must present. Others on this machine can see it in the process list." },
    { .name = "password-file",
      .kind = CLI_OPT_TEXT,
      .value = "path",
      .summary = "File whose first line is the password." },
    { .name = "allow-unconfigured",
      .kind = CLI_OPT_FLAG,
      .summary = "Start although the config does not say gateway.mode=local." },
    { .name = "force", .kind = CLI_OPT_FLAG, .summary = "End whoever holds the port before listening on it." },
    { .name = "topology",
      .kind = CLI_OPT_TEXT,
      .value = "file",
      .summary = "JSON5 file that says which process runs which actors. Else one process runs them all." },
    { .name = "check",
      .kind = CLI_OPT_FLAG,
      .summary = "Say whether config and topology let it start, and end. What runs is left alone." },
    { .name = "verbose", .kind = CLI_OPT_FLAG, .summary = "Log more to standard error." },
    { .name = "ws-log",
      .kind = CLI_OPT_CHOICE,
      .value = "style",
      .choices = log_styles,
      .summary = "Accepted for scripts; `openclaw bus tap` shows every message." },
    { .name = "compact", .kind = CLI_OPT_FLAG, .summary = "The same as --ws-log compact." },
    { .name = "cli-backend-logs", .kind = CLI_OPT_FLAG, .summary = "Accepted for scripts; there is one log." },
    { .name = "claude-cli-logs", .kind = CLI_OPT_FLAG, .summary = "The same as --cli-backend-logs." },
    { 0 },
};

static const struct cli_opt *const run_tables[] = { run_options, NULL };

static const struct cli_opt call_options[] = {
    { .name = "params",
      .kind = CLI_OPT_TEXT,
      .value = "json",
      .preset = "{}",
      .summary = "Parameters of the method, a JSON object." },
    { .name = "expect-url",
      .kind = CLI_OPT_TEXT,
      .value = "url",
      .summary = "Do nothing unless this is the address of the gateway that is meant." },
    { .name = "expect-final",
      .kind = CLI_OPT_FLAG,
      .summary = "Wait for the result of a method that first answers \"accepted\", such as agent." },
    { 0 },
};

static const struct cli_opt *const call_tables[] = { call_options, cli_commands_target, cli_commands_timeout,
                                                     cli_commands_json, NULL };

static const struct cli_opt status_options[] = {
    { .name = "deep",
      .kind = CLI_OPT_FLAG,
      .summary = "Show health and actors, and look for further installed gateways." },
    { .name = "require-rpc",
      .kind = CLI_OPT_FLAG,
      .summary = "Ask the gateway something, and exit with an error when it does not answer." },
    { .name = "no-probe", .kind = CLI_OPT_FLAG, .summary = "Do not connect to the gateway." },
    { 0 },
};

static const struct cli_opt probe_options[] = {
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "3000",
      .min = 1,
      .max = 86400000,
      .summary = "Give up on a gateway after this many milliseconds." },
    { 0 },
};

static const struct cli_opt stop_options[] = {
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "60000",
      .min = 1,
      .max = 86400000,
      .summary = "Wait so many milliseconds for its end." },
    { .name = "force", .kind = CLI_OPT_FLAG, .summary = "Accepted for scripts; nothing is ever asked here." },
    { .name = "disable",
      .kind = CLI_OPT_FLAG,
      .summary = "Accepted for scripts; a service manager that starts it again is told by its own command." },
    { 0 },
};

/* Requests under way end first, and the runs of agents go on in the new processes. */
static const struct cli_opt restart_options[] = {
    { .name = "upgrade",
      .kind = CLI_OPT_FLAG,
      .summary = "Take up the program as it is installed now, behind the same sockets, and wait until it serves." },
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "60000",
      .min = 1,
      .max = 86400000,
      .summary = "With --upgrade: wait so many milliseconds." },
    { .name = "safe", .kind = CLI_OPT_FLAG, .summary = "Accepted for scripts: a restart loses no work." },
    { .name = "force", .kind = CLI_OPT_FLAG, .summary = "Accepted for scripts: a restart begins at once." },
    { .name = "wait",
      .kind = CLI_OPT_TEXT,
      .value = "time",
      .summary = "Accepted for scripts: there is nothing to wait for." },
    { .name = "skip-deferral", .kind = CLI_OPT_FLAG, .summary = "Accepted for scripts, with --safe." },
    { .name = "preserve-definition", .kind = CLI_OPT_FLAG, .summary = "Accepted for scripts; units are left alone." },
    { 0 },
};

static const struct cli_opt restore_options[] = {
    { .name = "start",
      .kind = CLI_OPT_FLAG,
      .summary = "Start the gateway if it does not run, by its service if it has one." },
    { .name = "force",
      .kind = CLI_OPT_FLAG,
      .summary = "Put it back although a gateway starts with the one that is there." },
    { .name = "timeout",
      .kind = CLI_OPT_NUMBER,
      .value = "ms",
      .preset = "60000",
      .min = 1,
      .max = 86400000,
      .summary = "With --start: wait so many milliseconds until it serves." },
    { 0 },
};

static const struct cli_opt token_options[] = {
    { .name = "show", .kind = CLI_OPT_FLAG, .summary = "Print it, to a terminal alone." },
    { 0 },
};

static const struct cli_opt *const stop_tables[] = { stop_options, cli_commands_json, NULL };
static const struct cli_opt *const restart_tables[] = { restart_options, cli_commands_json, NULL };
static const struct cli_opt *const restore_tables[] = { restore_options, NULL };
static const struct cli_opt *const token_tables[] = { token_options, NULL };
static const struct cli_opt *const health_tables[] = { cli_commands_target, cli_commands_final, cli_commands_timeout,
                                                       cli_commands_json, NULL };
static const struct cli_opt *const status_tables[] = { status_options, cli_commands_target, cli_commands_timeout,
                                                       cli_commands_json, NULL };
static const struct cli_opt *const probe_tables[] = { probe_options, cli_commands_target, cli_commands_json, NULL };

static const struct cli_example call_examples[] = {
    { "openclaw gateway call sessions.list --params '{\"limit\": 5}'", "Ask with parameters." },
    { "openclaw gateway call health | jq .ok", "The answer is JSON in any case." },
    { 0 },
};

static const struct cli_example run_examples[] = {
    { "openclaw gateway --port 18789", "Run in the foreground; end with Ctrl-C." },
    { "openclaw --dev gateway --allow-unconfigured", "A gateway of its own state to try things out." },
    { 0 },
};

const struct cli_command cli_commands_gateway[] = {
    { .name = "run",
      .summary = "Run the gateway in the foreground.",
      .options = run_tables,
      .examples = run_examples,
      .run = cmd_gateway_run },
    { .name = "call",
      .summary = "Call one method and print its answer as JSON.",
      .args = "<method>",
      .args_min = 1,
      .args_max = 1,
      .options = call_tables,
      .examples = call_examples,
      .run = cmd_gateway_call },
    { .name = "health", .summary = "Ask the gateway how it is.", .options = health_tables, .run = cmd_health },
    { .name = "status",
      .summary = "Show whether a gateway runs here, where it listens, and whether it lets us in.",
      .options = status_tables,
      .run = cmd_gateway_status },
    { .name = "probe",
      .summary = "Show which gateways answer, and what we may do there.",
      .options = probe_tables,
      .run = cmd_gateway_probe },
    { .name = "auth-token",
      .summary = "Say where the gateway's token is, or show it.",
      .options = token_tables,
      .run = cmd_gateway_auth_token },
    { .name = "stop",
      .summary = "End the gateway of this state directory, in order, and wait until it has.",
      .options = stop_tables,
      .run = cmd_gateway_stop },
    { .name = "restart",
      .summary = "Give every host of the running gateway, or openclaw host, a fresh process on the same sockets.",
      .options = restart_tables,
      .run = cmd_gateway_restart },
    { .name = "restore",
      .summary = "Put back the last config that was good, and with --start see that the gateway runs.",
      .options = restore_tables,
      .run = cmd_gateway_restore },
    { 0 },
};
