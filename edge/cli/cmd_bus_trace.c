/*
 * `openclaw bus trace`: the way of one request through the actors, and where its time went.
 *
 * Live, the request is still to come, or under way: its trace is given, or it is that of the
 * next envelope that a filter holds for. For that everything is watched and the newest
 * records are kept, as a slow answer is known to be one at its end.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/tap_parts.h"
#include "edge/cli/tap_trace.h"
#include "edge/cli/tap_watch.h"

#define KEPT_N 16384U /* records from before the one that fits */

struct tracing {
    struct tap_filter filter; /* which request, unless its id is given */
    bool has_filter;
    struct tap_trace trace;
    bool is_found;            /* `trace` has an id, and a record */
    uint64_t heard_ms;        /* the newest record of it */
    struct tap_record **kept; /* a ring of copies, while it is not found */
    size_t kept_at;
};

static void kept_free(struct tracing *self)
{
    for (size_t i = 0; self->kept && i < KEPT_N; i++) {
        free(self->kept[i]);
    }
    free(self->kept);
    self->kept = NULL;
}

static void tracing_deinit(struct tracing *self)
{
    kept_free(self);
    tap_trace_deinit(&self->trace);
}

/* 32 hex digits, in lower case; false for anything else. */
static bool id_read(const char *text, char out[TAP_TRACE_TEXT])
{
    size_t len = strlen(text);

    if (len != TAP_TRACE_TEXT - 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isxdigit((unsigned char)text[i])) {
            return false;
        }
        out[i] = (char)tolower((unsigned char)text[i]);
    }
    out[len] = '\0';
    return true;
}

static void trace_take(struct tracing *self, const struct tap_record *record)
{
    unsigned rows_n = self->trace.rows_n;

    tap_trace_add(&self->trace, record);
    if (strcmp(record->trace, self->trace.id) == 0) {
        self->is_found = self->is_found || self->trace.rows_n > rows_n;
        self->heard_ms = clock_mono_ms();
    }
}

/* This one is of the request that is meant: what was seen of it before belongs to it as well. */
static void trace_begin(struct tracing *self, const struct tap_record *record)
{
    tap_trace_init(&self->trace, record->trace);
    for (size_t i = 0; self->kept && i < KEPT_N; i++) {
        const struct tap_record *kept = self->kept[(self->kept_at + i) % KEPT_N];

        if (kept) {
            trace_take(self, kept);
        }
    }
    self->is_found = true;
    kept_free(self);
}

static void kept_add(struct tracing *self, const struct tap_record *record)
{
    CLEANUP(pack_deinit) struct pack essence;
    struct tap_record slim = *record;

    pack_init(&essence, 0);
    tap_trace_essence(record, &essence);
    slim.body = pack_span(&essence);
    free(self->kept[self->kept_at]);
    self->kept[self->kept_at] = tap_record_copy(&slim);
    self->kept_at = (self->kept_at + 1) % KEPT_N;
}

/* The request that is meant, or part of it. Without a filter any is, but for what the bus says of itself. */
static bool is_meant(const struct tracing *self, const struct tap_record *record)
{
    struct tap_filter_subject subject = tap_record_subject(record);

    if (!record->trace[0] || record->is_handled) {
        return false;
    }
    return self->has_filter ? tap_filter_fits(&self->filter, &subject)
                            : record->env.kind == ENVELOPE_CALL && !span_starts(record->env.name, "bus.");
}

static void on_record(void *arg, const struct tap_record *record)
{
    struct tracing *self = arg;

    if (self->trace.id[0]) {
        trace_take(self, record);
        return;
    }
    kept_add(self, record);
    if (is_meant(self, record)) {
        trace_begin(self, record);
    }
}

/* --- where from ----------------------------------------------------------------------------- */

static bool is_over(const struct tracing *self, uint64_t settle_ms)
{
    return self->is_found && clock_mono_ms() - self->heard_ms >= settle_ms && tap_trace_is_over(&self->trace);
}

static int live_run(const struct cli *cli, struct tracing *self)
{
    char filter[TAP_TRACE_TEXT + 16];
    CLEANUP(tap_watch_close)
    struct tap_watch watch = { TAP_WATCH_INIT, .with_times = true, .may_be_remote = true, .on_record = on_record,
                               .arg = self };
    uint64_t end_ms = clock_mono_ms() + cli_number(cli, "duration") * 1000U;
    int r;

    watch.with_bodies = true; /* they say when a run is over */
    if (self->trace.id[0]) {
        (void)snprintf(filter, sizeof(filter), "trace == %s", self->trace.id);
        watch.filter_text = filter;
    } else {
        self->kept = mem_new(KEPT_N * sizeof(*self->kept));
    }
    tap_watch_signals();
    r = tap_watch_open(&watch, cli);
    if (r == CLI_EXIT_OK && !cli_flag(cli, "json")) {
        cli_err("waiting for the request; end with Ctrl-C");
    }
    while (r == CLI_EXIT_OK && !tap_watch_is_interrupted() && clock_mono_ms() < end_ms &&
           !is_over(self, cli_number(cli, "settle"))) {
        r = tap_watch_step(&watch, 50);
    }
    if (r == CLI_EXIT_OK) {
        tap_watch_rest(&watch);
    }
    return r;
}

/* Every record of the recording that fits goes to `take`; stops when it says so. */
static int recording_scan(const char *path, const struct tap_filter *filter, struct tracing *self,
                          bool (*take)(struct tracing *self, const struct tap_record *record))
{
    CLEANUP(tap_parts_close) struct tap_parts parts = { 0 };
    struct tap_record record;
    int r = tap_parts_open(&parts, path);

    while (r == CLI_EXIT_OK) {
        r = tap_parts_next(&parts, filter, &record);
        if (r || parts.is_end || !take(self, &record)) {
            break;
        }
    }
    return r;
}

/* Takes the id of the first that has one. */
static bool id_take(struct tracing *self, const struct tap_record *record)
{
    if (!is_meant(self, record)) {
        return true;
    }
    tap_trace_init(&self->trace, record->trace);
    return false;
}

static bool row_take(struct tracing *self, const struct tap_record *record)
{
    trace_take(self, record);
    return true;
}

static int recording_run(const struct cli *cli, struct tracing *self)
{
    const char *path = cli_text(cli, "read");
    char text[TAP_TRACE_TEXT + 16];
    struct tap_filter filter;
    int r = self->trace.id[0] ? CLI_EXIT_OK : recording_scan(path, &self->filter, self, id_take);

    if (r || !self->trace.id[0]) {
        return r;
    }
    (void)snprintf(text, sizeof(text), "trace == %s", self->trace.id);
    r = tap_watch_filter(text, &filter);
    return r ? r : recording_scan(path, &filter, self, row_take);
}

/* --- the answer --------------------------------------------------------------------------------- */

static bool has_times(const struct tap_trace *trace)
{
    for (const struct tap_trace_row *row = trace->rows; row; row = row->next) {
        if (row->is_handled) {
            return true;
        }
    }
    return false;
}

static int trace_show(const struct cli *cli, struct tracing *self)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    bool is_json = cli_flag(cli, "json");
    int r;

    if (!self->trace.rows) {
        cli_err("no message of such a request was seen");
        return CLI_EXIT_FAILED;
    }
    tap_trace_finish(&self->trace);
    r = is_json ? tap_trace_json(&self->trace, &text) : tap_trace_text(&self->trace, cli_out_columns(), &text);
    if (r) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    if (is_json) {
        cli_out_span((struct span){ text.data, text.len });
    } else {
        cli_out_safe((struct span){ text.data, text.len }, true);
    }
    if (!has_times(&self->trace)) {
        cli_err("the recording has no times; make one with `openclaw bus tap --record FILE --times`");
    }
    return CLI_EXIT_OK;
}

int cmd_bus_trace(struct cli *cli)
{
    CLEANUP(tracing_deinit) struct tracing self = { .has_filter = cli_given(cli, "filter") };
    const char *id = cli_arg(cli, 0);
    char text[TAP_TRACE_TEXT];
    int r = tap_watch_filter(cli_text(cli, "filter"), &self.filter);

    tap_trace_init(&self.trace, "");
    if (id && !id_read(id, text)) {
        cli_err("a trace has 32 hex digits; \"%s\" has not", id);
        return CLI_EXIT_USAGE;
    }
    if (id) {
        tap_trace_init(&self.trace, text);
    }
    r = r ? r : cli_given(cli, "read") ? recording_run(cli, &self) : live_run(cli, &self);
    return r ? r : trace_show(cli, &self);
}
