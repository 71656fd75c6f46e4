#include "edge/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/pack.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_help.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_problem.h"
#include "edge/cli/cli_rpc.h"
#include "schema/base/dotenv.h"

bool cli_given(const struct cli *cli, const char *name)
{
    return cli_opts_value(&cli->line, name) != NULL;
}

bool cli_flag(const struct cli *cli, const char *name)
{
    return cli_given(cli, name);
}

const char *cli_text(const struct cli *cli, const char *name)
{
    const struct cli_value *value = cli_opts_value(&cli->line, name);
    const struct cli_opt *opt = value ? value->opt : cli_opts_find(&cli->line, name);

    return value ? value->text : opt ? opt->preset : NULL;
}

uint64_t cli_number(const struct cli *cli, const char *name)
{
    const struct cli_value *value = cli_opts_value(&cli->line, name);
    const struct cli_opt *opt = value ? value->opt : cli_opts_find(&cli->line, name);
    uint64_t number = 0;

    if (value) {
        return value->number;
    }
    return opt && opt->preset && cli_opts_number(opt->preset, 0, UINT64_MAX, &number) ? number : 0;
}

const char *cli_arg(const struct cli *cli, size_t i)
{
    return i < cli->line.args_n ? cli->line.args[i] : NULL;
}

/* Where CLI_EXIT_USAGE means something else the innermost command that says so counts. */
static int usage_exit(const struct cli_line *line)
{
    int code = CLI_EXIT_USAGE;

    for (size_t i = 0; i < line->chain_n; i++) {
        code = line->chain[i]->usage_exit ? line->chain[i]->usage_exit : code;
    }
    return code;
}

static int usage_explain(const struct cli_line *line)
{
    char path[128];
    size_t chain_n = line->named_last || line->chain_n == 1 ? line->chain_n : line->chain_n - 1;

    cli_help_path(line->chain, chain_n, path, sizeof(path));
    cli_err("%s", line->error);
    cli_err_more("%s --help shows what is possible", path);
    return usage_exit(line);
}

static int environment_prepare(struct cli *cli)
{
    struct cli_paths_error error = { "" };
    int r = cli_paths_resolve(cli_text(cli, "profile"), cli_flag(cli, "dev"), getenv, &cli->paths, &error);

    if (r > 0) {
        cli_err("%s", error.text);
        return CLI_EXIT_USAGE;
    }
    r = r ? r : cli_paths_export(&cli->paths);
    if (r == 0) {
        dotenv_load(".", false);
        dotenv_load(cli->paths.state_dir, true);
    }
    if (r == 0 && cli_text(cli, "log-level") && setenv("OPENCLAW_LOG_LEVEL", cli_text(cli, "log-level"), 1)) {
        r = FAULT(-errno);
    }
    if (r) {
        cli_err("cannot set up the environment: %s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    return CLI_EXIT_OK;
}

static int command_run(struct cli *cli)
{
    int r;

    if (cli->line.wants_help) {
        cli_help_print(&cli->line);
        return CLI_EXIT_OK;
    }
    if (cli->line.wants_version) {
        cli_out("OpenClaw %s\n", OPENCLAW_VERSION);
        return CLI_EXIT_OK;
    }
    r = environment_prepare(cli);
    return r ? r : cli->command->run(cli);
}

/* `openclaw help gateway call` is `openclaw gateway call --help`. */
static char **help_words_turn(int argc, char **argv)
{
    static char help[] = "--help";
    char **turned = argc > 1 && strcmp(argv[1], "help") == 0 ? calloc((size_t)argc + 1, sizeof(*turned)) : NULL;

    if (turned) {
        memcpy(turned, argv, (size_t)argc * sizeof(*turned));
        turned[1] = help;
    }
    return turned;
}

/* Who asks for JSON reads it, and not what is said to people beside it. */
static void failure_print(int code)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_bool(&out, "ok", false);
    pack_key(&out, "error");
    pack_map_begin(&out);
    if (!cli_problem_pack_last(&out)) {
        pack_kv_text(&out, "type", "cli_error");
        pack_kv_text(&out, "message", cli_err_first());
    }
    if (cli_err_hints()[0]) {
        pack_kv_text(&out, "hint", cli_err_hints());
    }
    pack_kv_i64(&out, "exitCode", code);
    pack_map_end(&out);
    pack_map_end(&out);
    (void)cli_rpc_print_json(pack_span(&out)); /* without memory the exit code alone says it */
}

int cli_main(int argc, char **argv)
{
    struct cli cli = { .argc = argc, .argv = argv };
    char **turned = help_words_turn(argc, argv);
    int r;

    r = cli_opts_parse(&cli_commands_root, argc, turned ? turned : argv, &cli.line);
    cli_out_init(cli_flag(&cli, "no-color"));
    if (argc == 1) {
        cli_help_print(&cli.line);
        r = CLI_EXIT_USAGE;
    } else if (r) {
        r = usage_explain(&cli.line);
    } else {
        cli.command = cli.line.chain[cli.line.chain_n - 1];
        r = command_run(&cli);
    }
    if (r && cli_flag(&cli, "json") && !cli_out_is_used() && cli_err_first()[0]) {
        failure_print(r);
    }
    if (!cli_out_flush() && r == CLI_EXIT_OK) {
        cli_err("standard output cannot be written");
        r = CLI_EXIT_FAILED;
    }
    free(turned);
    return r;
}
