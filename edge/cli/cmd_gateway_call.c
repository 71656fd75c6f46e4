/*
 * openclaw gateway call <method>: any method of the protocol, for people and scripts.
 */
#include <string.h>

#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"

#define TIMEOUT_MS 10000U
/* An agent may think for long; its own limit is what ends the wait. */
#define TIMEOUT_FINAL_MS 600000U

static int call_and_print(const struct cli *cli, struct span params)
{
    bool is_final = cli_flag(cli, "expect-final");
    uint64_t timeout_ms = cli_given(cli, "timeout") ? cli_number(cli, "timeout")
                          : is_final                ? TIMEOUT_FINAL_MS
                                                    : TIMEOUT_MS;
    struct cli_rpc_opts opts = {
        .display_name = "gateway:call",
        .timeout_ms = timeout_ms < TIMEOUT_MS ? timeout_ms : TIMEOUT_MS,
        .expect_url = cli_text(cli, "expect-url"),
    };
    struct cli_call call = {
        .method = cli_arg(cli, 0),
        .params = params,
        .timeout_ms = timeout_ms,
        .expect_final = is_final,
    };
    struct cli_rpc rpc;
    struct pack answer;
    int r = cli_rpc_open(cli, &opts, &rpc);

    if (r) {
        return r;
    }
    pack_init(&answer, 0);
    r = cli_rpc_call(&rpc, &call, &answer);
    r = r ? r : cli_rpc_print_json(pack_span(&answer));
    pack_deinit(&answer);
    cli_rpc_close(&rpc);
    return r;
}

int cmd_gateway_call(struct cli *cli)
{
    struct pack params;
    int r;

    pack_init(&params, 0);
    r = cli_rpc_params(cli, "{\"limit\": 5}", &params);
    r = r ? r : call_and_print(cli, pack_span(&params));
    pack_deinit(&params);
    return r;
}
