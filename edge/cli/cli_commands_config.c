/*
 * The commands below `openclaw config`.
 */
#include "edge/cli/cli_commands.h"

static const char *const sources[] = { "env", "file", "exec", NULL };
static const char *const file_modes[] = { "singleValue", "json", NULL };

#define TEXT_OPT(opt_name, opt_value, says)                                                                            \
    {                                                                                                                  \
        .name = (opt_name), .kind = CLI_OPT_TEXT, .value = (opt_value), .summary = (says)                              \
    }
#define LIST_OPT(opt_name, opt_value, says)                                                                            \
    {                                                                                                                  \
        .name = (opt_name), .kind = CLI_OPT_TEXT, .is_repeated = true, .value = (opt_value), .summary = (says)         \
    }
#define NUMBER_OPT(opt_name, opt_max, says)                                                                            \
    {                                                                                                                  \
        .name = (opt_name), .kind = CLI_OPT_NUMBER, .value = "n", .min = 1, .max = (opt_max), .summary = (says)        \
    }
#define FLAG_OPT(opt_name, says)                                                                                       \
    {                                                                                                                  \
        .name = (opt_name), .kind = CLI_OPT_FLAG, .summary = (says)                                                    \
    }

static const struct cli_opt trial_options[] = {
    FLAG_OPT("dry-run", "Check the result and its references to secrets, and write nothing."),
    FLAG_OPT("allow-exec", "With --dry-run: run the programs that know secrets, too."),
    { 0 },
};
static const struct cli_opt set_options[] = {
    FLAG_OPT("strict-json", "The value must be JSON5; else what is none is a text."),
    FLAG_OPT("json", "The same as --strict-json; with --dry-run the verdict is JSON."),
    FLAG_OPT("merge", "Add to the object, or list of entries with ids, that is there."),
    FLAG_OPT("replace", "Replace lists of entries although some are lost."),
    TEXT_OPT("batch-json", "json", "Several at once: a list of {path, value}, {path, ref} and {path, provider}."),
    TEXT_OPT("batch-file", "path", "The same from a file."),
    { 0 },
};
static const struct cli_opt ref_options[] = {
    TEXT_OPT("ref-provider", "name", "Set a reference to a secret: which entry of secrets.providers knows it."),
    { .name = "ref-source",
      .kind = CLI_OPT_CHOICE,
      .value = "source",
      .choices = sources,
      .summary = "Of a reference: env, file or exec." },
    TEXT_OPT("ref-id", "id", "Of a reference: what the provider knows the secret by."),
    { 0 },
};
static const struct cli_opt provider_options[] = {
    { .name = "provider-source",
      .kind = CLI_OPT_CHOICE,
      .value = "source",
      .choices = sources,
      .summary = "Set an entry of secrets.providers: env, file or exec." },
    LIST_OPT("provider-allowlist", "name", "env: a variable that may be asked for."),
    TEXT_OPT("provider-path", "path", "file: where it is."),
    { .name = "provider-mode",
      .kind = CLI_OPT_CHOICE,
      .value = "mode",
      .choices = file_modes,
      .summary = "file: it holds one secret (singleValue), or an object of them (json)." },
    NUMBER_OPT("provider-max-bytes", 20971520, "file: the most it may hold."),
    TEXT_OPT("provider-command", "path", "exec: the program, an absolute path."),
    LIST_OPT("provider-arg", "text", "exec: an argument."),
    NUMBER_OPT("provider-timeout-ms", 120000, "file, exec: how long it may take."),
    NUMBER_OPT("provider-no-output-timeout-ms", 120000, "exec: how long it may be silent."),
    NUMBER_OPT("provider-max-output-bytes", 20971520, "exec: the most it may say."),
    FLAG_OPT("provider-json-only", "exec: only JSON is an answer."),
    LIST_OPT("provider-env", "name=value", "exec: a variable for the program."),
    LIST_OPT("provider-pass-env", "name", "exec: a variable of the gateway that the program gets."),
    LIST_OPT("provider-trusted-dir", "path", "exec: a directory that the program may lie in."),
    FLAG_OPT("provider-allow-insecure-path", "file, exec: whoever else may write there is no matter."),
    FLAG_OPT("provider-allow-symlink-command", "exec: the program may be a symbolic link."),
    { 0 },
};
static const struct cli_opt unset_options[] = {
    FLAG_OPT("json", "With --dry-run: the verdict as JSON."),
    { 0 },
};
static const struct cli_opt patch_options[] = {
    TEXT_OPT("file", "path", "JSON5 file with the patch."),
    FLAG_OPT("stdin", "Read the patch from standard input."),
    FLAG_OPT("json", "With --dry-run: the verdict as JSON."),
    LIST_OPT("replace-path", "path", "What the patch has there replaces what is there as a whole."),
    { 0 },
};

static const struct cli_opt *const json_tables[] = { cli_commands_json, NULL };
static const struct cli_opt *const set_tables[] = { set_options, trial_options, ref_options, provider_options, NULL };
static const struct cli_opt *const unset_tables[] = { unset_options, trial_options, NULL };
static const struct cli_opt *const patch_tables[] = { patch_options, trial_options, NULL };

static const struct cli_example set_examples[] = {
    { "openclaw config set gateway.port 18790", "A number, since that is what 18790 is in JSON." },
    { "openclaw config set 'models.providers[\"my.provider\"]' '{\"baseUrl\": \"http://x\", \"models\": []}'",
      "A key with a dot stands in brackets." },
    { 0 },
};

const struct cli_command cli_commands_config[] = {
    { .name = "get",
      .summary = "Print one value of the config; secrets are hidden.",
      .args = "<path>",
      .args_min = 1,
      .args_max = 1,
      .options = json_tables,
      .run = cmd_config_get },
    { .name = "set",
      .summary = "Set one value, and keep every other byte of the file.",
      .args = "<path> <value>",
      .details =
          "Instead of the value a reference to a secret (--ref-*) or an entry of secrets.providers (--provider-*).",
      .args_min = 0,
      .args_max = 2,
      .options = set_tables,
      .examples = set_examples,
      .run = cmd_config_set },
    { .name = "unset",
      .summary = "Remove one value.",
      .args = "<path>",
      .args_min = 1,
      .args_max = 1,
      .options = unset_tables,
      .run = cmd_config_unset },
    { .name = "patch",
      .summary = "Apply a JSON merge patch: objects merge, null removes, everything else replaces.",
      .options = patch_tables,
      .run = cmd_config_patch },
    { .name = "file", .summary = "Print the path of the config file.", .options = json_tables, .run = cmd_config_file },
    { .name = "validate",
      .summary = "Check the config without starting anything.",
      .options = json_tables,
      .run = cmd_config_validate },
    { .name = "schema", .summary = "Print the JSON Schema of the config.", .run = cmd_config_schema },
    { 0 },
};
