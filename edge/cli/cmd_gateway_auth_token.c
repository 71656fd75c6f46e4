/*
 * openclaw gateway auth-token: where the gateway's token is, or the token itself for a person
 * in front of a terminal.
 */
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_target.h"

static int token_tell(const struct cli *cli, const struct cli_target *target)
{
    if (!target->token[0]) {
        cli_err("no token is configured for the gateway of %s", cli->paths.config_path);
        cli_err_more("openclaw config set gateway.auth.token <secret> makes one");
        return CLI_EXIT_FAILED;
    }
    if (!cli_flag(cli, "show")) {
        cli_out("The token is %s in %s; --show prints it\n", target->token_source, cli->paths.config_path);
        return CLI_EXIT_OK;
    }
    if (!cli_out_is_tty()) {
        cli_err("the token is shown to a terminal alone, not to a file or another program");
        cli_err_more("programs on this machine read %s", cli->paths.config_path);
        return CLI_EXIT_FAILED;
    }
    cli_out("%s\n", target->token);
    return CLI_EXIT_OK;
}

int cmd_gateway_auth_token(struct cli *cli)
{
    struct cli_target target;
    int r = cli_target_resolve(cli, CLI_TARGET_LOCAL, &target);

    if (r) {
        return r == CLI_TARGET_E_USAGE ? CLI_EXIT_USAGE : CLI_EXIT_CONFIG;
    }
    r = token_tell(cli, &target);
    cli_target_deinit(&target);
    return r;
}
