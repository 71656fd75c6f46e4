/*
 * openclaw config get|file|validate|schema: the config of this machine, read from its files.
 */
#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/config_advice.h"
#include "edge/cli/gateway_secrets.h"
#include "schema/base/config_document.h"
#include "schema/base/config_issues.h"
#include "schema/base/config_path.h"
#include "schema/base/config_redact.h"
#include "schema/base/config_shape.h"
#include "schema/base/gateway_check.h"
#include "schema/base/secret_provider.h"

int cmd_config_file(struct cli *cli)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    if (!cli_flag(cli, "json")) {
        cli_out("%s\n", cli->paths.config_path);
        return CLI_EXIT_OK;
    }
    pack_map_begin(&out);
    pack_kv_text(&out, "path", cli->paths.config_path);
    pack_map_end(&out);
    return cli_rpc_print_json(pack_span(&out));
}

static int value_print(const struct cli *cli, struct span value)
{
    if (value_kind_of(value) == VALUE_STR && !cli_flag(cli, "json")) {
        cli_out_safe(value_str(value, (struct span){ 0 }), true);
        cli_out("\n");
        return CLI_EXIT_OK;
    }
    return cli_rpc_print_json(value);
}

int cmd_config_get(struct cli *cli)
{
    CLEANUP(config_document_deinit) struct config_document document;
    CLEANUP(pack_deinit) struct pack shown;
    struct config_error error = { "" };
    struct config_path path;

    config_document_init(&document);
    pack_init(&shown, 0);
    if (config_path_parse(cli_arg(cli, 0), &path)) {
        cli_err("\"%s\" is no path: write it as gateway.port, agents.list[0].id or models.providers[\"a.b\"]",
                cli_arg(cli, 0));
        return CLI_EXIT_USAGE;
    }
    int r = config_document_load(&document, cli->paths.config_path, config_lookup_process(), &error);
    if (r && (r < 0 || pack_error(&document.source) || !document.source.len)) {
        cli_err("%s", r < 0 ? fault_text(r) : error.text);
        return CLI_EXIT_CONFIG;
    }
    (void)config_redact(pack_span(&document.source), &shown); /* a variable that is not set is no matter here */
    struct span value = config_path_find(&path, pack_span(&shown));
    if (!value.len) {
        cli_err("the config has nothing at %s", cli_arg(cli, 0));
        cli_err_more("config: %s", cli->paths.config_path);
        return CLI_EXIT_FAILED;
    }
    return value_print(cli, value);
}

static int verdict_json(const struct cli *cli, const struct config_error *error, const struct config_issues *issues)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_bool(&out, "valid", !error->text[0]);
    pack_kv_text(&out, "path", cli->paths.config_path);
    if (error->text[0]) {
        pack_kv_text(&out, "error", error->text);
        pack_key(&out, "issues");
        config_issues_pack(issues, true, &out);
    }
    if (config_issues_left_out(issues)) {
        pack_kv_u64(&out, "issuesHiddenCount", config_issues_left_out(issues));
    }
    pack_map_end(&out);
    int r = cli_rpc_print_json_line(pack_span(&out));
    return r ? r : error->text[0] ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

/* `error` is what there is to say of a file that could not be read as far as issues are found. */
static int verdict_print(const struct cli *cli, const struct config_error *error, const struct config_issues *issues,
                         bool is_elsewhere)
{
    char line[sizeof(error->text)];

    if (cli_flag(cli, "json")) {
        return verdict_json(cli, error, issues);
    }
    if (!error->text[0]) {
        cli_out("valid: %s%s\n", cli->paths.config_path,
                is_elsewhere ? " (the gateway is elsewhere, and none starts from it here)" : "");
        return CLI_EXIT_OK;
    }
    for (size_t i = 0; i < config_issues_kept(issues); i++) {
        config_issue_show(config_issues_at(issues, i), line, sizeof(line));
        cli_err("%s", line);
    }
    if (!config_issues_kept(issues)) {
        cli_err("%s", error->text);
    }
    if (config_issues_left_out(issues)) {
        cli_err_more("and %zu more", config_issues_left_out(issues));
    }
    config_advice_give(&cli->paths);
    return CLI_EXIT_FAILED;
}

/* As a start looks at it. */
static int document_check(struct config_document *document, const char *path, struct config_error *error,
                          struct config_issues *issues)
{
    CLEANUP(gateway_config_deinit) struct gateway_config config = { 0 };
    struct config_lookup lookup = config_lookup_process();
    struct gateway_overrides overrides = gateway_overrides_from(lookup);
    int r = config_document_load(document, path, lookup, error);

    if (!r && !document->is_present) {
        (void)snprintf(error->text, sizeof(error->text), "%.500s: no such file", path);
        return GATEWAY_CHECK_E_REFUSED;
    }
    r = r ? r : gateway_check(document, &overrides, lookup, &config, error, issues);
    if (!r && gateway_secrets_look(document, error)) {
        config_issues_add_text(issues, CONFIG_ISSUE_START, document, error->text);
        config_issues_error(issues, error);
        r = GATEWAY_CHECK_E_REFUSED;
    }
    return r;
}

struct trust {
    const struct config_document *document;
    struct config_issues *issues;
};

static void on_untrusted(void *arg, struct span name, const char *key, const char *problem)
{
    struct trust *self = arg;
    char place[128];

    (void)snprintf(place, sizeof(place), "secrets.providers.%.*s.%s", SPAN_FMT(name), key);
    config_issues_add_at(self->issues, CONFIG_ISSUE_VALUE, self->document, place, problem);
}

int cmd_config_validate(struct cli *cli)
{
    CLEANUP(config_document_deinit) struct config_document document;
    CLEANUP(config_issues_destroy) struct config_issues *issues = config_issues_new();
    CLEANUP(config_issues_destroy) struct config_issues *distrust = config_issues_new();
    struct config_error error = { "" };

    config_document_init(&document);
    int r = document_check(&document, cli->paths.config_path, &error, issues);
    if (r < 0) {
        cli_err("%s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    if (r && r != GATEWAY_CHECK_E_ELSEWHERE) {
        return verdict_print(cli, &error, issues, false);
    }
    struct trust trust = { .document = &document, .issues = distrust }; /* a gateway elsewhere is fine as it is */
    secret_provider_each_untrusted(pack_span(&document.resolved), on_untrusted, &trust);
    config_issues_error(distrust, &error);
    return verdict_print(cli, &error, distrust, r == GATEWAY_CHECK_E_ELSEWHERE);
}

int cmd_config_schema(struct cli *cli)
{
    CLEANUP(pack_deinit) struct pack out;

    (void)cli;
    pack_init(&out, 0);
    config_shape_root_pack(&out);
    return cli_rpc_print_json(pack_span(&out));
}
