/*
 * openclaw nodes remove, rename, describe and invoke: one node.
 */
#include <stdio.h>
#include <string.h>

#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_node_call.h"
#include "edge/cli/cli_out.h"

#define CELL 256U

static const struct span nothing;

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), nothing);
}

int cmd_nodes_remove(struct cli *cli)
{
    struct cli_node_call call;
    int r = cli_node_open(cli, "nodes:remove", &call);

    if (r) {
        return r;
    }
    r = cli_ask_text(&call.ask, "node.pair.remove", "nodeId", call.id);
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&call.ask);
    } else if (!r) {
        cli_out("Removed %s\n", call.id);
    }
    cli_node_close(&call);
    return r;
}

int cmd_nodes_rename(struct cli *cli)
{
    struct cli_node_call call;
    struct pack *params;
    int r = cli_node_open(cli, "nodes:rename", &call);

    if (r) {
        return r;
    }
    params = cli_ask_params(&call.ask);
    pack_kv_text(params, "nodeId", call.id);
    pack_kv_text(params, "displayName", cli_text(cli, "name"));
    r = cli_ask_send(&call.ask, "node.rename");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&call.ask);
    } else if (!r) {
        cli_out("%s is called %s now\n", call.id, cli_text(cli, "name"));
    }
    cli_node_close(&call);
    return r;
}

/* --- what it is ------------------------------------------------------------------------------------------------ */

static void line_print(const char *label, struct span text)
{
    if (text.len) {
        cli_out("  %-10s ", label);
        cli_out_safe(text, false);
        cli_out("\n");
    }
}

static void described_print(struct span node)
{
    struct value_iter iter = value_iter(value_get(node, "commands"));
    struct span key;
    struct span item;
    char text[CELL];

    cli_out_safe(text_of(node, text_of(node, "displayName").len ? "displayName" : "nodeId"), false);
    cli_out("\n");
    line_print("id", text_of(node, "nodeId"));
    line_print("platform", text_of(node, "platform"));
    line_print("version", text_of(node, "version"));
    line_print("device", text_of(node, "deviceFamily"));
    line_print("address", text_of(node, "remoteIp"));
    cli_out("  %-10s %s, %s\n", "status", value_bool(value_get(node, "paired"), false) ? "paired" : "unpaired",
            value_bool(value_get(node, "connected"), false) ? "connected" : "not connected");
    cli_out("  %-10s %s\n", "seen", cli_ask_age(value_get(node, "lastSeenAtMs"), text, sizeof(text)));
    cli_out("  %-10s %s\n", "can", cli_ask_join(value_get(node, "caps"), text, sizeof(text)));
    cli_out("  commands\n");
    while (value_next(&iter, &key, &item)) {
        cli_out("    ");
        cli_out_safe(value_str(item, nothing), false);
        cli_out("\n");
    }
    if (!value_count(value_get(node, "commands"))) {
        cli_out("    none that an operator has approved\n");
    }
}

int cmd_nodes_describe(struct cli *cli)
{
    struct cli_node_call call;
    int r = cli_node_open(cli, "nodes:describe", &call);

    if (r) {
        return r;
    }
    r = cli_ask_text(&call.ask, "node.describe", "nodeId", call.id);
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&call.ask);
    } else if (!r) {
        described_print(cli_ask_answer(&call.ask));
    }
    cli_node_close(&call);
    return r;
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

/* Commands of a shell go through an agent's tool, where approvals are asked for. */
static bool is_shell(const char *command)
{
    return strcmp(command, "system.run") == 0 || strcmp(command, "system.run.prepare") == 0;
}

static int invoke(struct cli *cli, struct span args)
{
    struct cli_node_call call;
    int r = cli_node_open(cli, "nodes:invoke", &call);

    if (r) {
        return r;
    }
    pack_reset(&call.params);
    pack_raw(&call.params, args);
    r = cli_node_ask(&call, cli_text(cli, "command"));
    r = r ? r : cli_ask_show(&call.ask);
    cli_node_close(&call);
    return r;
}

int cmd_nodes_invoke(struct cli *cli)
{
    struct pack args;
    int r;

    if (is_shell(cli_text(cli, "command"))) {
        cli_err("%s runs a shell command: ask an agent, whose exec tool has it approved (host=node)",
                cli_text(cli, "command"));
        return CLI_EXIT_FAILED;
    }
    pack_init(&args, 0);
    r = cli_rpc_params(cli, "{\"bins\": [\"git\"]}", &args);
    r = r ? r : invoke(cli, pack_span(&args));
    pack_deinit(&args);
    return r;
}
