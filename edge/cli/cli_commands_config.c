/*
 * The commands below `openclaw config`.
 */
#include "edge/cli/cli_commands.h"

static const struct cli_opt set_options[] = {
    { .name = "strict-json", .kind = CLI_OPT_FLAG, .summary = "The value must be JSON5; else what is none is a text." },
    { .name = "json", .kind = CLI_OPT_FLAG, .summary = "The same as --strict-json." },
    { .name = "merge", .kind = CLI_OPT_FLAG, .summary = "Add to the object that is there instead of replacing it." },
    { .name = "replace", .kind = CLI_OPT_FLAG, .summary = "Replace lists of entries although some are lost." },
    { .name = "dry-run", .kind = CLI_OPT_FLAG, .summary = "Check the result and write nothing." },
    { 0 },
};
static const struct cli_opt unset_options[] = {
    { .name = "dry-run", .kind = CLI_OPT_FLAG, .summary = "Check the result and write nothing." },
    { 0 },
};
static const struct cli_opt patch_options[] = {
    { .name = "file", .kind = CLI_OPT_TEXT, .value = "path", .summary = "JSON5 file with the patch." },
    { .name = "stdin", .kind = CLI_OPT_FLAG, .summary = "Read the patch from standard input." },
    { .name = "dry-run", .kind = CLI_OPT_FLAG, .summary = "Check the result and write nothing." },
    { 0 },
};

static const struct cli_opt *const json_tables[] = { cli_commands_json, NULL };
static const struct cli_opt *const set_tables[] = { set_options, NULL };
static const struct cli_opt *const unset_tables[] = { unset_options, NULL };
static const struct cli_opt *const patch_tables[] = { patch_options, NULL };

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
      .args_min = 2,
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
    { .name = "file", .summary = "Print the path of the config file.", .run = cmd_config_file },
    { .name = "validate",
      .summary = "Check the config without starting anything.",
      .options = json_tables,
      .run = cmd_config_validate },
    { .name = "schema", .summary = "Print the JSON Schema of the config.", .run = cmd_config_schema },
    { 0 },
};
