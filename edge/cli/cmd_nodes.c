/*
 * openclaw nodes: the nodes there are, and what they do when asked.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_node_find.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_uuid.h"

#define CELL 256U

static const struct span nothing;

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), nothing);
}

/* --- which ones ---------------------------------------------------------------------------------- */

struct filter {
    bool wants_connected;
    int64_t since_ms; /* 0: whenever */
};

/* "90", "24h", "7d" as milliseconds; a bare number is milliseconds. False for anything else. */
static bool duration_read(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = { { "", 1 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    char *end = NULL;
    long long number = strtoll(text, &end, 10);

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (end != text && number > 0 && number < 1000000000LL && strcmp(end, units[i].unit) == 0) {
            *ret_ms = number * units[i].ms;
            return true;
        }
    }
    return false;
}

static int filter_read(const struct cli *cli, struct filter *ret_filter)
{
    const char *since = cli_text(cli, "last-connected");
    int64_t ms = 0;

    if (since && !duration_read(since, &ms)) {
        cli_err("--last-connected is a time such as 30m, 24h or 7d, not '%s'", since);
        return CLI_EXIT_USAGE;
    }
    *ret_filter =
        (struct filter){ .wants_connected = cli_flag(cli, "connected"), .since_ms = since ? clock_wall_ms() - ms : 0 };
    return CLI_EXIT_OK;
}

static bool is_wanted(const struct filter *filter, struct span row)
{
    int64_t connected_ms = value_i64(value_get(row, "connectedAtMs"), 0);

    connected_ms = value_i64(value_get(row, "lastConnectedAtMs"), connected_ms);
    return (!filter->wants_connected || value_bool(value_get(row, "connected"), false)) &&
           connected_ms >= filter->since_ms;
}

/* Appends the wanted rows as an array. */
static void rows_filter(const struct filter *filter, struct span rows, struct pack *out)
{
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    pack_array_begin(out);
    while (value_next(&iter, &key, &row)) {
        if (is_wanted(filter, row)) {
            pack_raw(out, row);
        }
    }
    pack_array_end(out);
}

/* --- status ---------------------------------------------------------------------------------------- */

static void status_row(struct cli_table *table, struct span row)
{
    char cells[6][CELL];
    const char *texts[6] = { cells[0], cells[1], cells[2], cells[3], cells[4], cells[5] };
    bool is_connected = value_bool(value_get(row, "connected"), false);

    (void)cli_format_str(value_get(row, "displayName"), "-", cells[0], CELL);
    (void)cli_format_str(value_get(row, "nodeId"), "-", cells[1], CELL);
    (void)snprintf(cells[2], CELL, "%s%s", value_bool(value_get(row, "paired"), false) ? "paired" : "unpaired",
                   is_connected ? ", connected" : "");
    (void)cli_format_str(value_get(row, "platform"), "-", cells[3], CELL);
    (void)cli_ask_join(value_get(row, "commands"), cells[4], CELL);
    (void)cli_ask_age(value_get(row, "lastSeenAtMs"), cells[5], CELL);
    cli_table_add(table, texts);
}

static void status_print(struct span rows)
{
    struct cli_table table = { .columns_n = 6 };
    struct value_iter iter = value_iter(rows);
    unsigned paired_n = 0;
    unsigned connected_n = 0;
    struct span key;
    struct span row;

    cli_table_add(&table, (const char *[]){ "NODE", "ID", "STATUS", "PLATFORM", "COMMANDS", "SEEN" });
    while (value_next(&iter, &key, &row)) {
        paired_n += value_bool(value_get(row, "paired"), false);
        connected_n += value_bool(value_get(row, "connected"), false);
        status_row(&table, row);
    }
    cli_out("Known: %u, paired: %u, connected: %u\n", value_count(rows), paired_n, connected_n);
    if (table.rows_n > 1) {
        cli_out("\n");
        cli_table_print(&table, "");
    }
    cli_table_deinit(&table);
}

static int status_show(const struct cli_ask *ask, const struct filter *filter)
{
    struct span answer = cli_ask_answer(ask);
    struct pack out;
    int r = CLI_EXIT_OK;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_raw(&out, "ts", value_get(answer, "ts"));
    pack_key(&out, "nodes");
    rows_filter(filter, value_get(answer, "nodes"), &out);
    pack_map_end(&out);
    if (cli_flag(ask->cli, "json")) {
        r = cli_rpc_print_json(pack_span(&out));
    } else {
        status_print(value_get(pack_span(&out), "nodes"));
    }
    pack_deinit(&out);
    return r;
}

int cmd_nodes_status(struct cli *cli)
{
    struct filter filter;
    struct cli_ask ask;
    int r = filter_read(cli, &filter);

    r = r ? r : cli_ask_open(cli, "nodes:status", &ask);
    if (r) {
        return r;
    }
    r = cli_ask_plain(&ask, "node.list");
    r = r ? r : status_show(&ask, &filter);
    cli_ask_close(&ask);
    return r;
}

/* --- list ---------------------------------------------------------------------------------------------- */

static void pending_print(struct span rows)
{
    struct cli_table table = { .columns_n = 6 };
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    cli_table_add(&table, (const char *[]){ "REQUEST", "NODE", "PLATFORM", "COMMANDS", "NEEDS", "AGE" });
    while (value_next(&iter, &key, &row)) {
        char cells[6][CELL];
        const char *texts[6] = { cells[0], cells[1], cells[2], cells[3], cells[4], cells[5] };

        (void)cli_format_str(value_get(row, "requestId"), "-", cells[0], CELL);
        (void)cli_format_str(value_get(row, text_of(row, "displayName").len ? "displayName" : "nodeId"), "-", cells[1],
                             CELL);
        (void)cli_format_str(value_get(row, "platform"), "-", cells[2], CELL);
        (void)cli_ask_join(value_get(row, "commands"), cells[3], CELL);
        (void)cli_ask_join(value_get(row, "requiredApproveScopes"), cells[4], CELL);
        (void)cli_ask_age(value_get(row, "ts"), cells[5], CELL);
        cli_table_add(&table, texts);
    }
    if (table.rows_n > 1) {
        cli_table_print(&table, "");
    }
    cli_table_deinit(&table);
}

static void paired_print(struct span rows)
{
    struct cli_table table = { .columns_n = 5 };
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    cli_table_add(&table, (const char *[]){ "NODE", "ID", "PLATFORM", "APPROVED", "LAST CONNECT" });
    while (value_next(&iter, &key, &row)) {
        char cells[5][CELL];
        const char *texts[5] = { cells[0], cells[1], cells[2], cells[3], cells[4] };

        (void)cli_format_str(value_get(row, "displayName"), "-", cells[0], CELL);
        (void)cli_format_str(value_get(row, "nodeId"), "-", cells[1], CELL);
        (void)cli_format_str(value_get(row, "platform"), "-", cells[2], CELL);
        (void)cli_ask_age(value_get(row, "approvedAtMs"), cells[3], CELL);
        (void)cli_ask_age(value_get(row, "lastConnectedAtMs"), cells[4], CELL);
        cli_table_add(&table, texts);
    }
    if (table.rows_n > 1) {
        cli_out("\n");
        cli_table_print(&table, "");
    }
    cli_table_deinit(&table);
}

/* Those whose id stands in an array of rows of node.list. */
static bool has_row(struct span rows, struct span node_id)
{
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    while (value_next(&iter, &key, &row)) {
        if (span_is(text_of(row, "nodeId"), node_id)) {
            return true;
        }
    }
    return false;
}

/* {pending, paired}; with a filter only nodes that node.list shows to fit, and no requests. */
static int list_pack(struct cli_ask *ask, const struct filter *filter, struct pack *out)
{
    bool is_filtered = filter->wants_connected || filter->since_ms;
    struct pack wanted;
    struct value_iter iter;
    struct span key;
    struct span row;
    int r = CLI_EXIT_OK;

    pack_init(&wanted, 0);
    if (is_filtered) {
        r = cli_ask_plain(ask, "node.list");
        rows_filter(filter, value_get(cli_ask_answer(ask), "nodes"), &wanted);
    }
    r = r ? r : cli_ask_plain(ask, "node.pair.list");
    iter = value_iter(value_get(cli_ask_answer(ask), "paired"));
    pack_map_begin(out);
    pack_kv_raw(out, "pending", is_filtered ? SPAN_LIT("\x90") : value_get(cli_ask_answer(ask), "pending"));
    pack_key(out, "paired");
    pack_array_begin(out);
    while (!r && value_next(&iter, &key, &row)) {
        if (!is_filtered || has_row(pack_span(&wanted), text_of(row, "nodeId"))) {
            pack_raw(out, row);
        }
    }
    pack_array_end(out);
    pack_map_end(out);
    pack_deinit(&wanted);
    return r;
}

static int list_show(const struct cli *cli, struct span list)
{
    struct span pending = value_get(list, "pending");
    struct span paired = value_get(list, "paired");

    if (cli_flag(cli, "json")) {
        return cli_rpc_print_json(list);
    }
    cli_out("Pending: %u, paired: %u\n", value_count(pending), value_count(paired));
    pending_print(pending);
    paired_print(paired);
    return CLI_EXIT_OK;
}

int cmd_nodes_list(struct cli *cli)
{
    struct filter filter;
    struct cli_ask ask;
    struct pack list;
    int r = filter_read(cli, &filter);

    r = r ? r : cli_ask_open(cli, "nodes:list", &ask);
    if (r) {
        return r;
    }
    pack_init(&list, 0);
    r = list_pack(&ask, &filter, &list);
    r = r ? r : list_show(cli, pack_span(&list));
    pack_deinit(&list);
    cli_ask_close(&ask);
    return r;
}

int cmd_nodes_pending(struct cli *cli)
{
    struct cli_ask ask;
    struct span pending;
    int r = cli_ask_open(cli, "nodes:pending", &ask);

    if (r) {
        return r;
    }
    r = cli_ask_plain(&ask, "node.pair.list");
    pending = value_get(cli_ask_answer(&ask), "pending");
    if (!r && cli_flag(cli, "json")) {
        r = cli_rpc_print_json(pending);
    } else if (!r && !value_count(pending)) {
        cli_out("No node asks to be paired\n");
    } else if (!r) {
        pending_print(pending);
    }
    cli_ask_close(&ask);
    return r;
}

/* --- decisions -------------------------------------------------------------------------------------------- */

int cmd_nodes_approve(struct cli *cli)
{
    return cli_ask_once(cli, "node.pair.approve", "requestId", cli_arg(cli, 0), "Approved");
}

int cmd_nodes_reject(struct cli *cli)
{
    return cli_ask_once(cli, "node.pair.reject", "requestId", cli_arg(cli, 0), "Rejected");
}

/* Opens a connection and finds the node of --node. */
static int node_open(const struct cli *cli, const char *name, struct cli_ask *ask, char id[CLI_NODE_ID_MAX])
{
    int r = cli_ask_open(cli, name, ask);

    if (r) {
        return r;
    }
    r = cli_node_find(ask, cli_text(cli, "node"), id);
    if (r) {
        cli_ask_close(ask);
    }
    return r;
}

int cmd_nodes_remove(struct cli *cli)
{
    char id[CLI_NODE_ID_MAX];
    struct cli_ask ask;
    int r = node_open(cli, "nodes:remove", &ask, id);

    if (r) {
        return r;
    }
    r = cli_ask_text(&ask, "node.pair.remove", "nodeId", id);
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        cli_out("Removed %s\n", id);
    }
    cli_ask_close(&ask);
    return r;
}

int cmd_nodes_rename(struct cli *cli)
{
    char id[CLI_NODE_ID_MAX];
    struct cli_ask ask;
    struct pack *params;
    int r = node_open(cli, "nodes:rename", &ask, id);

    if (r) {
        return r;
    }
    params = cli_ask_params(&ask);
    pack_kv_text(params, "nodeId", id);
    pack_kv_text(params, "displayName", cli_text(cli, "name"));
    r = cli_ask_send(&ask, "node.rename");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        cli_out("%s is called %s now\n", id, cli_text(cli, "name"));
    }
    cli_ask_close(&ask);
    return r;
}

/* --- one of them ---------------------------------------------------------------------------------------------- */

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
    char id[CLI_NODE_ID_MAX];
    struct cli_ask ask;
    int r = node_open(cli, "nodes:describe", &ask, id);

    if (r) {
        return r;
    }
    r = cli_ask_text(&ask, "node.describe", "nodeId", id);
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        described_print(cli_ask_answer(&ask));
    }
    cli_ask_close(&ask);
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
    uint64_t timeout_ms = cli_number(cli, "invoke-timeout");
    char id[CLI_NODE_ID_MAX];
    char key[CLI_UUID_LEN + 1];
    struct cli_ask ask;
    struct pack *params;
    int r = node_open(cli, "nodes:invoke", &ask, id);

    if (r) {
        return r;
    }
    if (cli_uuid_new(key)) {
        cli_err("the system has no random numbers");
        cli_ask_close(&ask);
        return CLI_EXIT_SOFTWARE;
    }
    params = cli_ask_params(&ask);
    pack_kv_text(params, "nodeId", id);
    pack_kv_text(params, "command", cli_text(cli, "command"));
    pack_kv_raw(params, "params", args);
    pack_kv_u64(params, "timeoutMs", timeout_ms);
    pack_kv_text(params, "idempotencyKey", cli_given(cli, "idempotency-key") ? cli_text(cli, "idempotency-key") : key);
    if (ask.timeout_ms < timeout_ms + 5000) {
        ask.timeout_ms = timeout_ms + 5000; /* so that the gateway says why there is no answer */
    }
    r = cli_ask_send(&ask, "node.invoke");
    r = r ? r : cli_ask_show(&ask);
    cli_ask_close(&ask);
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
