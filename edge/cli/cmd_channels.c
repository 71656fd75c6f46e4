/*
 * openclaw channels: the accounts through which people write, and how each of them fares.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bus/value.h"
#include "edge/cli/cli_ask.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"

#define CELL 256U
#define COLUMNS 6U

/* The one word that says most; what is wrong comes before what is merely off. */
static const char *state_word(struct span account, char out[CELL])
{
    if (!value_bool(value_get(account, "enabled"), true)) {
        return "disabled";
    }
    if (!value_bool(value_get(account, "configured"), true)) {
        return "not configured";
    }
    if (!value_bool(value_path(account, "probe.ok"), true)) {
        return "probe failed";
    }
    if (!value_bool(value_get(account, "linked"), true)) {
        return "not linked";
    }
    return cli_format_str(value_get(account, "healthState"),
                          value_bool(value_get(account, "running"), true) ? "running" : "stopped", out, CELL);
}

static void waiting_text(struct span account, char out[CELL])
{
    struct span outbox = value_get(account, "outbox");
    int64_t queued = value_i64(value_get(outbox, "queued"), 0);
    int64_t unknown = value_i64(value_get(outbox, "unknown"), 0);
    int64_t dead = value_i64(value_get(outbox, "dead"), 0);

    if (unknown || dead) {
        (void)snprintf(out, CELL, "%" PRId64 ", %" PRId64 " unknown, %" PRId64 " dead", queued, unknown,
                       dead); /* fits */
    } else {
        (void)snprintf(out, CELL, "%" PRId64, queued); /* fits */
    }
}

static void account_add(struct cli_table *table, struct span label, struct span account)
{
    char cells[COLUMNS][CELL];
    char text[CELL];
    const char *texts[COLUMNS] = { cells[0], cells[1], cells[2], cells[3], cells[4], cells[5] };

    (void)snprintf(cells[0], CELL, "%.*s", SPAN_FMT(label)); /* a cut name is still a name */
    (void)cli_format_str(value_get(account, "accountId"), "default", cells[1], CELL);
    (void)snprintf(cells[2], CELL, "%s", state_word(account, text)); /* both are CELL */
    (void)cli_ask_age(value_get(account, "lastInboundAt"), cells[3], CELL);
    (void)cli_ask_age(value_get(account, "lastOutboundAt"), cells[4], CELL);
    waiting_text(account, cells[5]);
    cli_table_add(table, texts);
}

/* Under the table: what went wrong, in the account's own words. */
static void errors_print(struct span label, struct span accounts)
{
    struct value_iter it = value_iter(accounts);
    struct span key;
    struct span account;

    while (value_next(&it, &key, &account)) {
        struct span error = value_str(value_get(account, "lastError"), (struct span){ 0 });

        if (error.len) {
            cli_out_safe(label, false);
            cli_out(" ");
            cli_out_safe(value_str(value_get(account, "accountId"), SPAN_LIT("default")), false);
            cli_out(": ");
            cli_out_safe(error, false);
            cli_out("\n");
        }
    }
}

static struct span label_of(struct span status, struct span channel)
{
    return value_str(value_find(value_get(status, "channelLabels"), channel), channel);
}

static void status_print(struct span status)
{
    struct cli_table table = { .columns_n = COLUMNS };
    struct value_iter channels = value_iter(value_get(status, "channelAccounts"));
    struct span channel;
    struct span accounts;

    cli_table_add(&table, (const char *[]){ "CHANNEL", "ACCOUNT", "STATE", "LAST IN", "LAST OUT", "WAITING" });
    while (value_next(&channels, &channel, &accounts)) {
        struct value_iter it = value_iter(accounts);
        struct span key;
        struct span account;

        while (value_next(&it, &key, &account)) {
            account_add(&table, label_of(status, channel), account);
        }
    }
    if (table.rows_n > 1) {
        cli_table_print(&table, "");
    } else {
        cli_out("No channel account is configured\n");
    }
    cli_table_deinit(&table);
    channels = value_iter(value_get(status, "channelAccounts"));
    while (value_next(&channels, &channel, &accounts)) {
        errors_print(label_of(status, channel), accounts);
    }
}

/* A map without all but one of its entries, or a list without all but one text. */
static void only_pack(struct span all, struct span name, struct pack *out)
{
    struct value_iter it = value_iter(all);
    struct span key;
    struct span item;

    if (value_kind_of(all) == VALUE_MAP) {
        pack_map_begin(out);
        while (value_next(&it, &key, &item)) {
            if (span_is(key, name)) {
                pack_key_span(out, key);
                pack_raw(out, item);
            }
        }
        pack_map_end(out);
        return;
    }
    pack_array_begin(out);
    while (value_next(&it, &key, &item)) {
        if (span_is(value_str(item, (struct span){ 0 }), name)) {
            pack_raw(out, item);
        }
    }
    pack_array_end(out);
}

/* The status as it would be if there were no other channel. */
static void channel_pack(struct span status, struct span name, struct pack *out)
{
    struct value_iter it = value_iter(status);
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&it, &key, &item)) {
        bool is_by_channel =
            span_starts(key, "channel") && (value_kind_of(item) == VALUE_MAP || span_is(key, SPAN_LIT("channelOrder")));

        pack_key_span(out, key);
        if (is_by_channel) {
            only_pack(item, name, out);
        } else {
            pack_raw(out, item);
        }
    }
    pack_map_end(out);
}

static int status_show(const struct cli *cli, struct span status)
{
    const char *channel = cli_text(cli, "channel");
    struct pack out;
    int r = CLI_EXIT_OK;

    pack_init(&out, 0);
    if (channel) {
        channel_pack(status, span_from(channel), &out);
        status = pack_span(&out);
    }
    if (cli_flag(cli, "json")) {
        r = cli_rpc_print_json(status);
    } else {
        status_print(status);
    }
    pack_deinit(&out);
    return r;
}

int cmd_channels_status(struct cli *cli)
{
    struct cli_ask ask;
    struct pack *params;
    int r = cli_ask_open(cli, "channels:status", &ask);

    if (r) {
        return r;
    }
    params = cli_ask_params(&ask);
    pack_kv_bool(params, "probe", cli_flag(cli, "probe"));
    pack_kv_u64(params, "timeoutMs", ask.timeout_ms);
    r = cli_ask_send(&ask, "channels.status");
    r = r ? r : status_show(cli, cli_ask_answer(&ask));
    cli_ask_close(&ask);
    return r;
}
