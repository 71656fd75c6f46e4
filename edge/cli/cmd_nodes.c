/*
 * openclaw nodes: the nodes there are, and what they do when asked.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/cli_ask.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"
#include "schema/base/duration.h"

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

static int filter_read(const struct cli *cli, struct filter *ret_filter)
{
    const char *since = cli_text(cli, "last-connected");
    int64_t ms = 0;

    if (since && !duration_parse(span_from(since), 1, &ms)) {
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
    struct cli_table table = { .columns_n = 7 };
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    cli_table_add(&table, (const char *[]){ "REQUEST", "NODE", "FROM", "PLATFORM", "WANTS TO RUN", "NEEDS", "ASKED" });
    while (value_next(&iter, &key, &row)) {
        char cells[7][CELL];
        const char *texts[7] = { cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6] };

        (void)cli_format_str(value_get(row, "requestId"), "-", cells[0], CELL);
        (void)cli_format_str(value_get(row, text_of(row, "displayName").len ? "displayName" : "nodeId"), "-", cells[1],
                             CELL);
        (void)cli_format_str(value_get(row, "remoteIp"), "this machine", cells[2], CELL);
        (void)cli_format_str(value_get(row, "platform"), "-", cells[3], CELL);
        (void)cli_ask_join(value_get(row, "commands"), cells[4], CELL);
        (void)cli_ask_join(value_get(row, "requiredApproveScopes"), cells[5], CELL);
        (void)cli_ask_age(value_get(row, "ts"), cells[6], CELL);
        cli_table_add(&table, texts);
    }
    if (table.rows_n > 1) {
        cli_table_print(&table, "  ");
        cli_out("\nLet one run what it wants to with: openclaw nodes approve <request>\n");
    }
    cli_table_deinit(&table);
}

static void paired_print(struct span rows)
{
    struct cli_table table = { .columns_n = 6 };
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    cli_table_add(&table, (const char *[]){ "NODE", "FROM", "STATUS", "MAY RUN", "LAST CONNECT", "ID" });
    while (value_next(&iter, &key, &row)) {
        char cells[6][CELL];
        const char *texts[6] = { cells[0], cells[1], cells[2], cells[3], cells[4], cells[5] };
        bool has_commands = value_count(value_get(row, "commands")) > 0;

        (void)cli_format_str(value_get(row, "displayName"), "-", cells[0], CELL);
        (void)cli_format_str(value_get(row, "remoteIp"), "this machine", cells[1], CELL);
        (void)snprintf(cells[2], CELL, "%s",
                       value_bool(value_get(row, "connected"), false) ? "connected" : "not connected");
        (void)cli_ask_join(value_get(row, "commands"), cells[3], CELL);
        if (!has_commands) {
            (void)snprintf(cells[3], CELL, "nothing yet");
        }
        (void)cli_ask_age(value_get(row, "lastConnectedAtMs"), cells[4], CELL);
        (void)cli_format_str(value_get(row, "nodeId"), "-", cells[5], CELL);
        cli_table_add(&table, texts);
    }
    if (table.rows_n > 1) {
        cli_out("\nPaired:\n");
        cli_table_print(&table, "  ");
    }
    cli_table_deinit(&table);
}

/* The row of that node, or nothing. */
static struct span row_of(struct span rows, struct span node_id)
{
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    while (value_next(&iter, &key, &row)) {
        if (span_is(text_of(row, "nodeId"), node_id)) {
            return row;
        }
    }
    return nothing;
}

/* Copies the fields of `from` that `over` does not have. */
static void fields_add(struct span from, struct span over, struct pack *out)
{
    struct value_iter iter = value_iter(from);
    struct span key;
    struct span value;

    while (value_next(&iter, &key, &value)) {
        if (!span_is(key, SPAN_LIT("token")) && !value_find(over, key).len) {
            pack_key_span(out, key);
            pack_raw(out, value);
        }
    }
}

/* What is known of a node by its pairing and by its connection, the latter first. */
static void merged_add(struct span pairing, struct span live, struct pack *out)
{
    pack_map_begin(out);
    fields_add(live, nothing, out);
    fields_add(pairing, live, out);
    if (!value_get(live, "lastConnectedAtMs").len && !value_get(pairing, "lastConnectedAtMs").len &&
        value_get(live, "connectedAtMs").len) {
        pack_kv_raw(out, "lastConnectedAtMs", value_get(live, "connectedAtMs"));
    }
    pack_map_end(out);
}

/* Paired nodes as a list: those of node.list, then those that only the pairings know. */
static void paired_pack(const struct filter *filter, struct span pairings, struct span nodes, struct pack *out)
{
    struct value_iter live = value_iter(nodes);
    struct value_iter rest = value_iter(pairings);
    struct span key;
    struct span row;

    pack_array_begin(out);
    while (value_next(&live, &key, &row)) {
        struct span pairing = row_of(pairings, text_of(row, "nodeId"));

        if ((pairing.len || value_bool(value_get(row, "paired"), false)) && is_wanted(filter, row)) {
            merged_add(pairing, row, out);
        }
    }
    while (value_next(&rest, &key, &row)) {
        if (!row_of(nodes, text_of(row, "nodeId")).len && is_wanted(filter, row)) {
            merged_add(row, nothing, out);
        }
    }
    pack_array_end(out);
}

/* {pending, paired}; with a filter no requests. */
static int list_pack(struct cli_ask *ask, const struct filter *filter, struct pack *out)
{
    bool is_filtered = filter->wants_connected || filter->since_ms;
    struct pack nodes;
    int r;

    pack_init(&nodes, 0);
    r = cli_ask_plain(ask, "node.list");
    if (!r) {
        pack_raw(&nodes, value_get(cli_ask_answer(ask), "nodes"));
        r = cli_ask_plain(ask, "node.pair.list");
    }
    pack_map_begin(out);
    pack_kv_raw(out, "pending", is_filtered || r ? SPAN_LIT("\x90") : value_get(cli_ask_answer(ask), "pending"));
    pack_key(out, "paired");
    paired_pack(filter, r ? nothing : value_get(cli_ask_answer(ask), "paired"), pack_span(&nodes), out);
    pack_map_end(out);
    pack_deinit(&nodes);
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
    if (value_count(pending)) {
        cli_out("\nWho asks for commands:\n");
    }
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
