#include "edge/cli/cli_rpc.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_service.h"

static bool is_address(const char *expected, const char *address)
{
    size_t len = strlen(expected);

    len -= len && expected[len - 1] == '/';
    return len == strlen(address) && strncasecmp(expected, address, len) == 0;
}

int cli_rpc_open(const struct cli *cli, const struct cli_rpc_opts *opts, struct cli_rpc *ret_rpc)
{
    struct cli_session_opts session = {
        .cli = cli,
        .target = &ret_rpc->target,
        .role = CLI_SESSION_COMMAND,
        .display_name = opts->display_name,
        .timeout_ms = opts->timeout_ms,
        .arg = opts->arg,
        .on_event = opts->on_event,
    };
    struct cli_problem problem;
    char stranger[PATH_MAX + 128];
    int r;

    *ret_rpc = (struct cli_rpc){ .cli = cli };
    r = cli_target_resolve(cli, opts->is_config_broken ? CLI_TARGET_TOLERANT : 0, &ret_rpc->target);
    if (r) {
        return r == CLI_TARGET_E_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_CONFIG;
    }
    if (opts->expect_url && !is_address(opts->expect_url, ret_rpc->target.address)) {
        cli_err("the gateway that is meant is %s (%s), not %s", ret_rpc->target.address, ret_rpc->target.source,
                opts->expect_url);
        cli_target_deinit(&ret_rpc->target);
        return CLI_EXIT_FAILED;
    }
    if (cli_session_open(&session, &ret_rpc->session, opts->ret_problem ? opts->ret_problem : &problem)) {
        if (opts->ret_problem) {
            return cli_problem_exit_code(opts->ret_problem); /* the caller closes it, who may ask it for its target */
        }
        r = cli_problem_explain(&problem, &ret_rpc->target);
        if (cli_problem_may_be_stranger(&problem, &ret_rpc->target) &&
            cli_service_stranger_text(&cli->paths, ret_rpc->target.url.port, stranger, sizeof(stranger))) {
            cli_err_more("%s", stranger);
        }
        cli_rpc_close(ret_rpc);
        return r;
    }
    return CLI_EXIT_OK;
}

int cli_rpc_call(struct cli_rpc *self, const struct cli_call *call, struct pack *ret_payload)
{
    struct cli_problem problem;

    if (cli_session_call(self->session, call, ret_payload, &problem)) {
        return cli_problem_explain(&problem, &self->target);
    }
    return CLI_EXIT_OK;
}

void cli_rpc_close(struct cli_rpc *self)
{
    cli_session_destroy(&self->session);
    cli_target_deinit(&self->target);
}

int cli_rpc_params(const struct cli *cli, const char *example, struct pack *ret_params)
{
    struct json_opts opts = { .depth_max = 0 };
    struct json_error error = { .line = 0 };

    if (json_to_pack(span_from(cli_text(cli, "params")), &opts, ret_params, &error)) {
        cli_err("--params is not JSON: expected %s at line %u, column %u", error.expected, error.line, error.column);
        return CLI_EXIT_USAGE;
    }
    if (value_kind_of(pack_span(ret_params)) != VALUE_MAP) {
        cli_err("--params must be a JSON object, as in '%s'", example);
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

static int print_json(struct span value, int (*write)(struct span value, struct text_buf *out))
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int r = write(value, &text);

    r = r ? r : text_buf_add(&text, SPAN_LIT("\n"));
    if (r) {
        cli_err("the result cannot be printed: %s", fault_text(r));
        return CLI_EXIT_SOFTWARE;
    }
    cli_out_span((struct span){ text.data, text.len });
    return CLI_EXIT_OK;
}

int cli_rpc_print_json(struct span value)
{
    return print_json(value, json_from_value_pretty);
}

int cli_rpc_print_json_line(struct span value)
{
    return print_json(value, json_from_value);
}
