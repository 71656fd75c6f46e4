/*
 * What `openclaw qr` takes.
 */
#include "edge/cli/cli_commands.h"

/* Not those of cli_commands_target: here --url is what the code says, not who is asked. */
static const struct cli_opt qr_options[] = {
    { .name = "remote",
      .kind = CLI_OPT_FLAG,
      .summary = "Name gateway.remote.url in the code, whatever else is configured." },
    { .name = "url",
      .kind = CLI_OPT_TEXT,
      .value = "url",
      .summary = "The address by which the phone reaches the gateway." },
    { .name = "public-url", .kind = CLI_OPT_TEXT, .value = "url", .summary = "The same as --url." },
    { .name = "token", .kind = CLI_OPT_TEXT, .value = "token", .summary = "Token of the gateway that is asked." },
    { .name = "password", .kind = CLI_OPT_TEXT, .value = "password", .summary = "Password of that gateway." },
    { .name = "port",
      .kind = CLI_OPT_NUMBER,
      .value = "port",
      .min = 1,
      .max = 65535,
      .summary = "Port of a gateway on this machine to ask, in place of the one in config or environment." },
    { .name = "limited",
      .kind = CLI_OPT_FLAG,
      .summary = "No administration. No code brings that here, so it changes nothing." },
    { .name = "voice-node", .kind = CLI_OPT_FLAG, .summary = "A node that may read and talk, and nothing else." },
    { .name = "setup-code-only", .kind = CLI_OPT_FLAG, .summary = "Print the code alone." },
    { .name = "no-ascii", .kind = CLI_OPT_FLAG, .summary = "Do not draw it." },
    { 0 },
};

const struct cli_opt *const cli_commands_qr_tables[] = { qr_options, cli_commands_timeout, cli_commands_json, NULL };

const struct cli_example cli_commands_qr_examples[] = {
    { "openclaw qr", "Draw the code." },
    { "openclaw qr --url wss://gateway.example --setup-code-only", "The code alone, for that address." },
    { 0 },
};
