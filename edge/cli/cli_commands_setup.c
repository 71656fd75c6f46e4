/*
 * What `openclaw setup` and `openclaw doctor` take.
 */
#include "edge/cli/cli_commands.h"

static const char *const modes[] = { "local", "remote", NULL };

static const struct cli_opt setup_options[] = {
    { .name = "workspace",
      .kind = CLI_OPT_TEXT,
      .value = "dir",
      .summary = "Where the agent works; kept as agents.defaults.workspace." },
    { .name = "non-interactive", .kind = CLI_OPT_FLAG, .summary = "Ask nothing. Nothing is ever asked here." },
    { .name = "mode",
      .kind = CLI_OPT_CHOICE,
      .value = "mode",
      .choices = modes,
      .summary = "local: a gateway of this machine; remote: only its address." },
    { .name = "remote-url", .kind = CLI_OPT_TEXT, .value = "url", .summary = "Address of the remote gateway." },
    { .name = "remote-token", .kind = CLI_OPT_TEXT, .value = "token", .summary = "Token of the remote gateway." },
    { .name = "wizard", .kind = CLI_OPT_FLAG, .summary = "Guided setup, which this version does not have." },
    { .name = "import-from", .kind = CLI_OPT_TEXT, .value = "name", .summary = "Import, likewise." },
    { .name = "import-source", .kind = CLI_OPT_TEXT, .value = "path", .summary = "Import, likewise." },
    { .name = "import-secrets", .kind = CLI_OPT_FLAG, .summary = "Import, likewise." },
    { 0 },
};

static const struct cli_opt doctor_options[] = {
    { .name = "fix", .kind = CLI_OPT_FLAG, .summary = "Make the repairs that are proposed." },
    { .name = "repair", .kind = CLI_OPT_FLAG, .summary = "The same as --fix." },
    { .name = "yes", .kind = CLI_OPT_FLAG, .summary = "The same as --fix: yes to what would be asked." },
    { .name = "force", .kind = CLI_OPT_FLAG, .summary = "The same as --fix; there is nothing rougher." },
    { .name = "non-interactive", .kind = CLI_OPT_FLAG, .summary = "Ask nothing; without --fix nothing is changed." },
    { .name = "generate-gateway-token", .kind = CLI_OPT_FLAG, .summary = "Make a new token for the gateway." },
    { .name = "deep", .kind = CLI_OPT_FLAG, .summary = "Look for services that start a gateway as well." },
    { .name = "json", .kind = CLI_OPT_FLAG, .summary = "Print what was found as JSON, and ask nothing." },
    { .name = "no-workspace-suggestions", .kind = CLI_OPT_FLAG, .summary = "Say nothing of the workspace." },
    { 0 },
};

const struct cli_opt *const cli_commands_setup_tables[] = { setup_options, NULL };
const struct cli_opt *const cli_commands_doctor_tables[] = { doctor_options, NULL };
