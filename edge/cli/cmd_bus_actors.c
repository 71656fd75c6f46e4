/*
 * `openclaw bus actors`: where each actor runs, how it fares, how full its mailbox is.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/control_client.h"

#define CELL_MAX 160
#define COLUMNS_N 8

static void pair_short(struct span row, const char *left, const char *right, char out[CELL_MAX])
{
    char a[CLI_FORMAT_LEN];
    char b[CLI_FORMAT_LEN];

    if (!value_get(row, left).len) {
        (void)snprintf(out, CELL_MAX, "-");
        return;
    }
    (void)snprintf(out, CELL_MAX, "%s/%s", cli_format_count(value_i64(value_get(row, left), 0), a),
                   cli_format_count(value_i64(value_get(row, right), 0), b));
}

static void text_short(struct span row, const char *key, char out[CELL_MAX])
{
    struct span text = value_str(value_get(row, key), SPAN_LIT("-"));

    (void)snprintf(out, CELL_MAX, "%.*s", (int)(text.len < CELL_MAX ? text.len : CELL_MAX - 1), text.ptr);
}

static void row_add(struct cli_table *table, struct span row)
{
    char cells[COLUMNS_N][CELL_MAX];
    const char *texts[COLUMNS_N];

    text_short(row, "address", cells[0]);
    text_short(row, "host", cells[1]);
    if (value_get(row, "pid").len) {
        (void)snprintf(cells[2], CELL_MAX, "%" PRId64, value_i64(value_get(row, "pid"), 0));
    } else {
        (void)snprintf(cells[2], CELL_MAX, "-");
    }
    text_short(row, "state", cells[3]);
    (void)cli_format_count(value_i64(value_get(row, "restarts"), 0), cells[4]);
    pair_short(row, "mailboxMsgs", "mailboxMsgsMax", cells[5]);
    pair_short(row, "msgsIn", "msgsOut", cells[6]);
    pair_short(row, "bytesIn", "bytesOut", cells[7]);
    for (size_t i = 0; i < COLUMNS_N; i++) {
        texts[i] = cells[i];
    }
    cli_table_add(table, texts);
}

/* What keeps a host from serving; that nobody of it can be asked then goes without saying. */
static void host_print(struct span row)
{
    struct span state = value_str(value_get(row, "state"), SPAN_LIT("?"));
    struct span error = value_str(value_get(row, "error"), (struct span){ "", 0 });
    struct span end = value_str(value_get(row, "lastEnd"), (struct span){ "", 0 });

    if (span_is_text(state, "starting") && end.len) {
        cli_out("host %.*s is starting; before, it ended: ",
                SPAN_FMT(value_str(value_get(row, "name"), SPAN_LIT("?"))));
        cli_out_safe(end, false);
        cli_out("\n");
    } else if (error.len) {
        cli_out("host %.*s is %.*s: %.*s\n", SPAN_FMT(value_str(value_get(row, "name"), SPAN_LIT("?"))),
                SPAN_FMT(state), SPAN_FMT(error));
    }
}

/* Below the table, as a path alone is wider than a column should be. */
static void reasons_print(struct span result)
{
    struct value_iter rows = value_iter(value_get(result, "actors"));
    struct span key;
    struct span row;

    while (value_next(&rows, &key, &row)) {
        struct span status = value_str(value_get(row, "status"), (struct span){ "", 0 });

        if (status.len) {
            cli_out_safe(value_str(value_get(row, "address"), SPAN_LIT("?")), false);
            cli_out(": ");
            cli_out_safe(status, false);
            cli_out("\n");
        }
    }
}

static void table_print(struct span result)
{
    static const char *const head[COLUMNS_N] = { "ACTOR",    "HOST",    "PID",         "STATE",
                                                 "RESTARTS", "MAILBOX", "MSGS IN/OUT", "BYTES IN/OUT" };
    CLEANUP(cli_table_deinit) struct cli_table table = { .columns_n = COLUMNS_N };
    struct value_iter rows = value_iter(value_get(result, "actors"));
    struct value_iter hosts = value_iter(value_get(result, "hosts"));
    struct span key;
    struct span row;

    cli_table_add(&table, head);
    while (value_next(&rows, &key, &row)) {
        row_add(&table, row);
    }
    cli_table_print(&table, "");
    reasons_print(result);
    while (value_next(&hosts, &key, &row)) {
        host_print(row);
    }
}

int cmd_bus_actors(struct cli *cli)
{
    CLEANUP(pack_deinit) struct pack result;
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int r;

    pack_init(&result, 0);
    r = control_client_op(&cli->paths, "actors", &result);
    if (r) {
        return r;
    }
    if (!cli_flag(cli, "json")) {
        table_print(pack_span(&result));
        return CLI_EXIT_OK;
    }
    if (json_from_value_pretty(pack_span(&result), &text)) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    cli_out_span((struct span){ text.data, text.len });
    cli_out("\n");
    return CLI_EXIT_OK;
}
