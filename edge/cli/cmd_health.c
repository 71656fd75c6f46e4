/*
 * openclaw health, openclaw gateway health: the snapshot that all surfaces share.
 */
#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_down.h"
#include "edge/cli/cli_health.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"

static void params_pack(const struct cli *cli, struct pack *out)
{
    pack_map_begin(out);
    if (cli_flag(cli, "verbose") || cli_flag(cli, "debug")) {
        pack_kv_bool(out, "probe", true);
    }
    pack_map_end(out);
}

static int result_print(const struct cli *cli, const struct cli_rpc *rpc, struct span health)
{
    if (cli_flag(cli, "json")) {
        return cli_rpc_print_json(health);
    }
    cli_health_label("Gateway");
    cli_out("%s, answers in %llu ms\n", rpc->target.address, (unsigned long long)cli_session_latency_ms(rpc->session));
    cli_health_print(health, cli_flag(cli, "verbose") || cli_flag(cli, "debug"));
    return CLI_EXIT_OK;
}

/* Nobody can be let in, but the supervising process knows which actor is missing, and why. */
static void down_print_json(const struct cli *cli)
{
    CLEANUP(pack_deinit) struct pack actors;
    CLEANUP(pack_deinit) struct pack health;
    char why[CLI_DOWN_TEXT_MAX];
    struct cli_target target;

    pack_init(&actors, 0);
    pack_init(&health, 0);
    if (cli_target_resolve(cli, CLI_TARGET_TOLERANT, &target)) {
        return;
    }
    if (cli_down_find(cli, &target, &actors, why, sizeof(why))) {
        pack_map_begin(&health);
        pack_kv_bool(&health, "ok", false);
        pack_kv_text(&health, "degraded", why);
        pack_kv_raw(&health, "actors", pack_span(&actors));
        pack_map_end(&health);
        (void)cli_rpc_print_json(pack_span(&health));
    }
    cli_target_deinit(&target);
}

int cmd_health(struct cli *cli)
{
    struct cli_rpc_opts opts = { .display_name = "gateway:health", .timeout_ms = cli_number(cli, "timeout") };
    struct cli_rpc rpc;
    struct pack params;
    struct pack health;
    int r = cli_rpc_open(cli, &opts, &rpc);

    if (r == CLI_EXIT_UNAVAILABLE && cli_flag(cli, "json")) {
        down_print_json(cli);
    }
    if (r) {
        return r;
    }
    pack_init(&params, 0);
    pack_init(&health, 0);
    params_pack(cli, &params);
    r = cli_rpc_call(&rpc,
                     &(struct cli_call){
                         .method = "health", .params = pack_span(&params), .timeout_ms = cli_number(cli, "timeout") },
                     &health);
    r = r ? r : result_print(cli, &rpc, pack_span(&health));
    /* A gateway that says it is not well is an answer, and scripts want to know. */
    if (r == CLI_EXIT_OK && !value_bool(value_get(pack_span(&health), "ok"), true)) {
        r = CLI_EXIT_FAILED;
    }
    pack_deinit(&params);
    pack_deinit(&health);
    cli_rpc_close(&rpc);
    return r;
}
