#include "edge/cli/cli_rpc.h"

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "edge/cli/cli_out.h"

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
    int r;

    *ret_rpc = (struct cli_rpc){ .cli = cli };
    r = cli_target_resolve(cli, opts->is_config_broken ? CLI_TARGET_TOLERANT : 0, &ret_rpc->target);
    if (r) {
        return r == CLI_TARGET_E_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_CONFIG;
    }
    if (cli_session_open(&session, &ret_rpc->session, &problem)) {
        r = cli_problem_explain(&problem, &ret_rpc->target);
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
