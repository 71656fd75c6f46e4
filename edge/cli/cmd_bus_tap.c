/*
 * `openclaw bus tap`: every envelope on the bus, as it passes, or from a recording.
 */
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/tap_parts.h"
#include "edge/cli/tap_sink.h"
#include "edge/cli/tap_watch.h"

static void begun_tell(const struct cli *cli, const char *what)
{
    if (cli_given(cli, "duration")) {
        cli_err("%s for %llu s; Ctrl-C ends it before", what, (unsigned long long)cli_number(cli, "duration"));
    } else {
        cli_err("%s; end with Ctrl-C", what);
    }
}

/* -1: no end. */
static long wait_ms(uint64_t end_ms)
{
    uint64_t now_ms = clock_mono_ms();

    if (end_ms == UINT64_MAX) {
        return -1;
    }
    return now_ms >= end_ms ? 0 : (long)(end_ms - now_ms);
}

static int live_run(const struct cli *cli, struct tap_sink *sink)
{
    CLEANUP(tap_watch_close)
    struct tap_watch watch = { TAP_WATCH_INIT,
                               .filter_text = cli_text(cli, "filter"),
                               .with_bodies = cli_flag(cli, "bodies"),
                               .with_times = cli_flag(cli, "times"),
                               .with_sessions = cli_given(cli, "record"), /* whoever reads it may want one */
                               .follows = true,
                               .may_be_remote = true,
                               .on_record = tap_sink_take,
                               .arg = sink };
    uint64_t end_ms = UINT64_MAX;
    int r;

    tap_watch_signals();
    r = tap_watch_open(&watch, cli);
    r = r ? r : tap_sink_open(sink, cli);
    if (r) {
        return r;
    }
    if (cli_given(cli, "duration")) {
        end_ms = clock_mono_ms() + cli_number(cli, "duration") * 1000U;
    }
    if (!sink->is_json && !sink->is_pcap) {
        begun_tell(cli, sink->path ? "recording" : "watching");
    }
    while (r == CLI_EXIT_OK && !tap_sink_is_done(sink) && !tap_watch_is_interrupted() && wait_ms(end_ms) != 0) {
        r = tap_watch_step(&watch,
                           sink->store && (wait_ms(end_ms) < 0 || wait_ms(end_ms) > 1000) ? 1000 : wait_ms(end_ms));
        tap_sink_flush(sink);
        r = r == CLI_EXIT_UNAVAILABLE ? tap_watch_again(&watch, cli, end_ms) : r;
    }
    tap_watch_rest(&watch);
    tap_sink_flush(sink);
    return r ? r : tap_watch_is_interrupted() ? CLI_EXIT_INTERRUPTED : CLI_EXIT_OK;
}

static int recording_run(const struct cli *cli, struct tap_sink *sink)
{
    CLEANUP(tap_parts_close) struct tap_parts parts = { 0 };
    struct tap_filter filter;
    struct tap_record record;
    int r = tap_watch_filter(cli_text(cli, "filter"), &filter);

    r = r ? r : tap_parts_open(&parts, cli_text(cli, "read"));
    r = r ? r : tap_sink_open(sink, cli);
    while (r == CLI_EXIT_OK && !tap_sink_is_done(sink)) {
        r = tap_parts_next(&parts, &filter, &record);
        if (r == CLI_EXIT_OK && !parts.is_end) {
            tap_sink_take(sink, &record);
        } else {
            break;
        }
    }
    tap_sink_flush(sink);
    return r;
}

int cmd_bus_tap(struct cli *cli)
{
    CLEANUP(tap_sink_deinit) struct tap_sink sink = { 0 };
    int r = cli_given(cli, "read") ? recording_run(cli, &sink) : live_run(cli, &sink);
    int end = tap_sink_close(&sink);

    return r ? r : end;
}
