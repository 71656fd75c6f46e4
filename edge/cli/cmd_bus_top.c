/*
 * `openclaw bus top`: what the actors are doing now.
 *
 * Rates, depths and memory are the gateway's own counters, looked at twice. How long things
 * take is known to a tap alone, so one is attached while it runs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/bus_top.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/tap_watch.h"

#define CELL_MAX 64
#define FILTER "kind != credit && kind != grant" /* those only keep the others going */

static void on_record(void *arg, const struct tap_record *record)
{
    bus_top_note(arg, record);
}

/* --- the picture --------------------------------------------------------------------------------- */

static double number_of(struct span row, const char *key, double fallback)
{
    struct span value = value_get(row, key);

    return value.len ? value_f64(value, (double)value_i64(value, 0)) : fallback;
}

static void rate_cell(struct span row, const char *key, char out[CELL_MAX])
{
    double rate = number_of(row, key, -1);
    char text[CLI_FORMAT_LEN];

    if (rate < 0) {
        (void)snprintf(out, CELL_MAX, "-");
    } else if (rate < 100) {
        (void)snprintf(out, CELL_MAX, "%.1f", rate);
    } else {
        (void)snprintf(out, CELL_MAX, "%s", cli_format_count((int64_t)rate, text));
    }
}

static void share_cell(struct span row, const char *key, char out[CELL_MAX])
{
    double share = number_of(row, key, -1);

    if (share < 0) {
        (void)snprintf(out, CELL_MAX, "-");
    } else {
        (void)snprintf(out, CELL_MAX, "%.1f %%", share * 100);
    }
}

static void mailbox_cell(struct span row, char out[CELL_MAX])
{
    char count[CLI_FORMAT_LEN];
    char bytes[CLI_FORMAT_LEN];

    if (!value_get(row, "mailboxMsgs").len) {
        (void)snprintf(out, CELL_MAX, "-");
        return;
    }
    (void)snprintf(out, CELL_MAX, "%s, %s", cli_format_count(value_i64(value_get(row, "mailboxMsgs"), 0), count),
                   cli_format_bytes((uint64_t)value_i64(value_get(row, "mailboxBytes"), 0), bytes));
}

/* "0.12 0.9": half of all, and 99 of 100. */
static void times_cell(struct span row, const char *key, char out[CELL_MAX])
{
    struct span times = value_get(row, key);

    if (!times.len) {
        (void)snprintf(out, CELL_MAX, "-");
        return;
    }
    (void)snprintf(out, CELL_MAX, "%.3g %.3g", number_of(times, "p50", 0), number_of(times, "p99", 0));
}

static void text_cell(struct span row, const char *key, char out[CELL_MAX])
{
    (void)cli_format_str(value_get(row, key), "-", out, CELL_MAX);
}

static void row_add(struct cli_table *table, char cells[CLI_TABLE_COLUMNS_MAX][CELL_MAX])
{
    const char *texts[CLI_TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < CLI_TABLE_COLUMNS_MAX; i++) {
        texts[i] = cells[i];
    }
    cli_table_add(table, texts);
}

static void actors_print(struct span look)
{
    static const char *const head[CLI_TABLE_COLUMNS_MAX] = { "ACTOR",           "STATE",      "IN/S",
                                                             "OUT/S",           "MAILBOX",    "BUSY",
                                                             "WAIT ms p50 p99", "HANDLER ms", "ANSWER ms" };
    CLEANUP(cli_table_deinit) struct cli_table table = { .columns_n = 9 };
    struct value_iter rows = value_iter(value_get(look, "actors"));
    struct span none;
    struct span row;

    cli_table_add(&table, head);
    while (value_next(&rows, &none, &row)) {
        char cells[CLI_TABLE_COLUMNS_MAX][CELL_MAX] = { "" };

        text_cell(row, "address", cells[0]);
        text_cell(row, "state", cells[1]);
        rate_cell(row, "inPerSecond", cells[2]);
        rate_cell(row, "outPerSecond", cells[3]);
        mailbox_cell(row, cells[4]);
        share_cell(row, "busy", cells[5]);
        times_cell(row, "waitMs", cells[6]);
        times_cell(row, "handlerMs", cells[7]);
        times_cell(row, "answerMs", cells[8]);
        row_add(&table, cells);
    }
    cli_table_print(&table, "");
}

static void hosts_print(struct span look)
{
    static const char *const head[CLI_TABLE_COLUMNS_MAX] = { "HOST", "PID", "STATE", "MEMORY", "CPU", "UP" };
    CLEANUP(cli_table_deinit) struct cli_table table = { .columns_n = 6 };
    struct value_iter rows = value_iter(value_get(look, "hosts"));
    struct span none;
    struct span row;

    cli_table_add(&table, head);
    while (value_next(&rows, &none, &row)) {
        char cells[CLI_TABLE_COLUMNS_MAX][CELL_MAX] = { "" };
        char text[CLI_FORMAT_LEN];

        text_cell(row, "name", cells[0]);
        (void)snprintf(cells[1], CELL_MAX, "%" PRId64, value_i64(value_get(row, "pid"), 0));
        text_cell(row, "state", cells[2]);
        (void)snprintf(cells[3], CELL_MAX, "%s",
                       cli_format_bytes((uint64_t)value_i64(value_get(row, "rssBytes"), 0), text));
        share_cell(row, "cpu", cells[4]);
        (void)snprintf(cells[5], CELL_MAX, "%s", cli_format_span(value_i64(value_get(row, "uptimeMs"), 0), text));
        row_add(&table, cells);
    }
    cli_out("\n");
    cli_table_print(&table, "");
}

static int look_show(const struct cli *cli, struct span look)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    if (cli_flag(cli, "json")) {
        if (json_from_value(look, &text) || text_buf_add(&text, SPAN_LIT("\n"))) {
            cli_err("out of memory");
            return CLI_EXIT_SOFTWARE;
        }
        cli_out_span((struct span){ text.data, text.len });
    } else {
        if (cli_out_is_tty() && !cli_flag(cli, "once")) {
            cli_out("\033[H\033[J");
        }
        actors_print(look);
        hosts_print(look);
        cli_out(cli_flag(cli, "once") ? "" : "\n");
    }
    return cli_out_flush() ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

/* --- looks ---------------------------------------------------------------------------------------- */

/* Asks the gateway; shows what has passed since the look before, unless it is the first. */
static int look(const struct cli *cli, struct bus_top *top, struct tap_watch *watch, bool is_first)
{
    CLEANUP(pack_deinit) struct pack answer;
    CLEANUP(pack_deinit) struct pack out;
    int r;

    pack_init(&answer, 0);
    pack_init(&out, 0);
    r = tap_watch_actors(watch, cli, &answer);
    if (r) {
        return r;
    }
    top->dropped = tap_watch_dropped(watch);
    if (bus_top_look(top, pack_span(&answer), clock_mono_ns(), &out)) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    return is_first ? CLI_EXIT_OK : look_show(cli, pack_span(&out));
}

static int interval_wait(const struct cli *cli, struct tap_watch *watch)
{
    uint64_t end_ms = clock_mono_ms() + cli_number(cli, "interval") * 1000U;
    uint64_t now_ms;
    int r = CLI_EXIT_OK;

    while (r == CLI_EXIT_OK && !tap_watch_is_interrupted() && (now_ms = clock_mono_ms()) < end_ms) {
        r = tap_watch_step(watch, (long)(end_ms - now_ms));
    }
    return r;
}

/* The next gateway counts anew. */
static int again(const struct cli *cli, struct bus_top *top, struct tap_watch *watch)
{
    int r = tap_watch_again(watch, cli, UINT64_MAX);

    bus_top_deinit(top);
    *top = (struct bus_top){ 0 };
    return r || tap_watch_is_interrupted() ? r : look(cli, top, watch, true);
}

int cmd_bus_top(struct cli *cli)
{
    CLEANUP(bus_top_deinit) struct bus_top top = { 0 };
    CLEANUP(tap_watch_close)
    struct tap_watch watch = {
        TAP_WATCH_INIT,        .filter_text = FILTER,  .with_times = true, .follows = !cli_flag(cli, "once"),
        .may_be_remote = true, .on_record = on_record, .arg = &top
    };
    int r;

    tap_watch_signals();
    r = tap_watch_open(&watch, cli);
    if (r) {
        return r; /* only one that was there is waited for */
    }
    r = look(cli, &top, &watch, true);
    do {
        r = r ? r : interval_wait(cli, &watch);
        r = r || tap_watch_is_interrupted() ? r : look(cli, &top, &watch, false);
        while (r == CLI_EXIT_UNAVAILABLE && watch.follows) {
            r = again(cli, &top, &watch);
        }
    } while (r == CLI_EXIT_OK && !cli_flag(cli, "once") && !tap_watch_is_interrupted() && cli_out_is_open());
    if (r == CLI_EXIT_OK) {
        tap_watch_rest(&watch);
    }
    return r ? r : tap_watch_is_interrupted() ? CLI_EXIT_INTERRUPTED : CLI_EXIT_OK;
}
