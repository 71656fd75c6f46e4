/*
 * openclaw system: events for the agent, heartbeats, and who is here.
 */
#include <stdio.h>

#include "bus/value.h"
#include "edge/cli/cli_ask.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"

#define CELL 256U

int cmd_system_event(struct cli *cli)
{
    struct cli_ask ask;
    struct pack *params;
    int r = cli_ask_open(cli, "system:event", &ask);

    if (r) {
        return r;
    }
    params = cli_ask_params(&ask);
    pack_kv_text(params, "mode", cli_text(cli, "mode"));
    pack_kv_text(params, "text", cli_text(cli, "text"));
    if (cli_text(cli, "session-key")) {
        pack_kv_text(params, "sessionKey", cli_text(cli, "session-key"));
    }
    r = cli_ask_send(&ask, "wake");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        cli_out("Queued for %s\n", cli_text(cli, "session-key") ? cli_text(cli, "session-key") : "the main session");
    }
    cli_ask_close(&ask);
    return r;
}

/* One call whose answer is shown as JSON, or as `done`. */
static int switch_to(struct cli *cli, bool is_on)
{
    struct cli_ask ask;
    int r = cli_ask_open(cli, "system:heartbeat", &ask);

    if (r) {
        return r;
    }
    pack_kv_bool(cli_ask_params(&ask), "enabled", is_on);
    r = cli_ask_send(&ask, "set-heartbeats");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        cli_out("Heartbeats are %s\n", is_on ? "on" : "off");
    }
    cli_ask_close(&ask);
    return r;
}

int cmd_system_heartbeat_enable(struct cli *cli)
{
    return switch_to(cli, true);
}

int cmd_system_heartbeat_disable(struct cli *cli)
{
    return switch_to(cli, false);
}

/* One line for each thing that the event says. */
static void heartbeat_line(struct span event, const char *key, const char *label)
{
    char text[CELL];

    if (value_get(event, key).len) {
        cli_out("%s: %s\n", label, cli_format_str(value_get(event, key), "-", text, sizeof(text)));
    }
}

static void heartbeat_print(struct span event)
{
    char status[CELL];
    char age[CELL];

    if (value_kind_of(event) != VALUE_MAP) {
        cli_out("There was none so far\n");
        return;
    }
    cli_out("%s, %s\n", cli_format_str(value_get(event, "status"), "unknown", status, sizeof(status)),
            cli_ask_age(value_get(event, "ts"), age, sizeof(age)));
    heartbeat_line(event, "agentId", "agent");
    heartbeat_line(event, "reason", "reason");
    heartbeat_line(event, "channel", "channel");
    heartbeat_line(event, "preview", "said");
}

int cmd_system_heartbeat_last(struct cli *cli)
{
    struct cli_ask ask;
    int r = cli_ask_open(cli, "system:heartbeat", &ask);

    if (r) {
        return r;
    }
    r = cli_ask_plain(&ask, "last-heartbeat");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        heartbeat_print(cli_ask_answer(&ask));
    }
    cli_ask_close(&ask);
    return r;
}

static void presence_print(struct span rows)
{
    struct cli_table table = { .columns_n = 5 };
    struct value_iter iter = value_iter(rows);
    struct span key;
    struct span row;

    cli_table_add(&table, (const char *[]){ "WHO", "MODE", "VERSION", "LAST", "WHEN" });
    while (value_next(&iter, &key, &row)) {
        char cells[5][CELL];
        const char *texts[5] = { cells[0], cells[1], cells[2], cells[3], cells[4] };

        (void)cli_format_str(value_get(row, "host"), "-", cells[0], CELL);
        (void)cli_format_str(value_get(row, "mode"), "-", cells[1], CELL);
        (void)cli_format_str(value_get(row, "version"), "-", cells[2], CELL);
        (void)cli_format_str(value_get(row, "reason"), "-", cells[3], CELL);
        (void)cli_ask_age(value_get(row, "ts"), cells[4], CELL);
        cli_table_add(&table, texts);
    }
    cli_table_print(&table, "");
    cli_table_deinit(&table);
}

int cmd_system_presence(struct cli *cli)
{
    struct cli_ask ask;
    int r = cli_ask_open(cli, "system:presence", &ask);

    if (r) {
        return r;
    }
    r = cli_ask_plain(&ask, "system-presence");
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        presence_print(cli_ask_answer(&ask));
    }
    cli_ask_close(&ask);
    return r;
}
