/*
 * openclaw qr: a setup code, with which a phone pairs itself.
 */
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_ask.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"
#include "schema/base/qr.h"

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), (struct span){ 0 });
}

static int flags_check(const struct cli *cli)
{
    if (cli_given(cli, "token") && cli_given(cli, "password")) {
        cli_err("--token and --password exclude each other");
        return CLI_EXIT_USAGE;
    }
    if (cli_flag(cli, "limited") && cli_flag(cli, "voice-node")) {
        cli_err("--limited and --voice-node exclude each other");
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_OK;
}

static int code_ask(struct cli_ask *ask)
{
    const struct cli *cli = ask->cli;
    struct pack *params = cli_ask_params(ask);
    const char *url = cli_given(cli, "url") ? cli_text(cli, "url") : cli_text(cli, "public-url");

    pack_kv_bool(params, "includeQr", false);
    if (url) {
        pack_kv_text(params, "publicUrl", url);
    }
    if (cli_flag(cli, "remote")) {
        pack_kv_bool(params, "preferRemoteUrl", true);
    }
    if (cli_flag(cli, "limited") || cli_flag(cli, "voice-node")) {
        pack_kv_text(params, "bootstrapProfile", cli_flag(cli, "limited") ? "limited" : "voice-node");
    }
    return cli_ask_send(ask, "device.pair.setupCode");
}

static int picture_print(struct span code)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct qr *qr = mem_new(sizeof(*qr));
    int r = qr_encode(code, qr);

    r = r ? r : qr_draw(qr, &text);
    free(qr);
    if (r) {
        cli_err("the code cannot be drawn; type it in instead");
        return CLI_EXIT_SOFTWARE;
    }
    cli_out_span((struct span){ text.data, text.len });
    return CLI_EXIT_OK;
}

static void line_print(const char *label, struct span text)
{
    cli_out("  %-10s ", label);
    cli_out_safe(text, false);
    cli_out("\n");
}

/* Where the address comes from: what the gateway calls its request is an option here. */
static struct span source_of(const struct cli *cli, struct span source)
{
    if (!span_is_text(source, "request.publicUrl")) {
        return source;
    }
    return cli_given(cli, "url") ? SPAN_LIT("--url") : SPAN_LIT("--public-url");
}

static int code_print(const struct cli *cli, struct span answer)
{
    struct span code = text_of(answer, "setupCode");
    int r = CLI_EXIT_OK;

    if (cli_flag(cli, "setup-code-only")) {
        cli_out("%.*s\n", SPAN_FMT(code));
        return r;
    }
    cli_out("Scan this with the OpenClaw app, within ten minutes and with one phone:\n\n");
    if (!cli_flag(cli, "no-ascii")) {
        r = picture_print(code);
        cli_out("\n");
    }
    line_print("code", code);
    line_print("gateway", text_of(answer, "gatewayUrl"));
    line_print("from", source_of(cli, text_of(answer, "urlSource")));
    line_print("auth", text_of(answer, "auth"));
    cli_out("  %-10s %s\n", "brings",
            cli_flag(cli, "voice-node") ? "a node, and an operator who may read and talk"
                                        : "a node, and an operator who may read, write and approve runs");
    cli_out("\nWhat a phone asks for beyond that waits for you: openclaw devices list\n");
    return r;
}

int cmd_qr(struct cli *cli)
{
    struct cli_ask ask;
    int r = flags_check(cli);

    r = r ? r : cli_ask_open(cli, "qr", &ask);
    if (r) {
        return r;
    }
    r = code_ask(&ask);
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        r = code_print(cli, cli_ask_answer(&ask));
    }
    cli_ask_close(&ask);
    return r;
}
