/*
 * The commands below `openclaw secrets`.
 */
#include "edge/cli/cli_commands.h"

static const struct cli_opt allow_options[] = {
    { .name = "allow-exec",
      .kind = CLI_OPT_FLAG,
      .summary = "Programs of secret providers may be run to see what references lead to." },
    { 0 },
};
static const struct cli_opt audit_options[] = {
    { .name = "check", .kind = CLI_OPT_FLAG, .summary = "End with 1 when anything was found." },
    { 0 },
};
static const struct cli_opt apply_options[] = {
    { .name = "from", .kind = CLI_OPT_TEXT, .required = true, .value = "path", .summary = "The plan." },
    { .name = "dry-run", .kind = CLI_OPT_FLAG, .summary = "Check everything and write nothing." },
    { 0 },
};
static const struct cli_opt configure_options[] = {
    { .name = "apply", .kind = CLI_OPT_FLAG, .summary = "Carry the plan out without asking whether to." },
    { .name = "yes", .kind = CLI_OPT_FLAG, .summary = "With --apply: do not ask once more." },
    { .name = "providers-only", .kind = CLI_OPT_FLAG, .summary = "Only secret providers, no credentials." },
    { .name = "skip-provider-setup",
      .kind = CLI_OPT_FLAG,
      .summary = "Only credentials, with the providers that there are." },
    { .name = "agent",
      .kind = CLI_OPT_TEXT,
      .value = "id",
      .summary = "Whose profiles are offered; without it those of the default agent." },
    { .name = "plan-out", .kind = CLI_OPT_TEXT, .value = "path", .summary = "Write the plan to this file." },
    { 0 },
};

static const struct cli_opt *const reload_tables[] = { cli_commands_target, cli_commands_timeout, cli_commands_json,
                                                       NULL };
static const struct cli_opt *const audit_tables[] = { audit_options, allow_options, cli_commands_json, NULL };
static const struct cli_opt *const configure_tables[] = { configure_options, allow_options, cli_commands_json, NULL };
static const struct cli_opt *const apply_tables[] = { apply_options, allow_options, cli_commands_json, NULL };

static const struct cli_example audit_examples[] = {
    { "openclaw secrets audit --check",
      "For scripts: 0 is clean, 1 found something, 2 has references that lead nowhere." },
    { 0 },
};
static const struct cli_example apply_examples[] = {
    { "openclaw secrets apply --from plan.json --dry-run", "See which files would change." },
    { "openclaw secrets apply --from plan.json", "Carry it out; the values in plain text are gone then." },
    { 0 },
};

const struct cli_command cli_commands_secrets[] = {
    { .name = "reload",
      .summary = "Have the running gateway ask its secret providers anew.",
      .details = "All or nothing: when one reference that is needed cannot be resolved, the gateway stays with what it "
                 "has.",
      .options = reload_tables,
      .run = cmd_secrets_reload },
    { .name = "audit",
      .summary = "Look for secrets in plain text and for references that lead nowhere.",
      .details = "Reads the config, .env, and what agents keep in the state directory; writes nothing.",
      .options = audit_tables,
      .examples = audit_examples,
      .run = cmd_secrets_audit },
    { .name = "configure",
      .summary = "Choose providers and credentials, and make a plan of it.",
      .details = "Asks, and therefore needs a terminal. The plan is checked before it can be carried out.",
      .options = configure_tables,
      .run = cmd_secrets_configure },
    { .name = "apply",
      .summary = "Carry out a plan: references take the place of secrets.",
      .details = "All of it or nothing, and one-way: no copy of the secrets is kept.",
      .options = apply_tables,
      .examples = apply_examples,
      .run = cmd_secrets_apply },
    { 0 },
};
