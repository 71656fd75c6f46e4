#include "edge/cli/tap_sink.h"

#include <errno.h>

#include "bus/base/clock.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/tap_line.h"
#include "edge/cli/tap_pcap.h"

#define MIB (1024U * 1024U)

static void store_explain(struct tap_sink *self, int fault)
{
    self->is_broken = true;
    if (fault == -EEXIST) {
        cli_err("%s is there already; remove it, or name another file", self->path);
    } else {
        cli_err("cannot record to %s: %s", self->path, fault_text(fault));
    }
}

/* The head at once, so that whoever reads it can begin. */
static int capture_begin(struct tap_sink *self)
{
    if (cli_out_is_tty()) {
        cli_err("a capture is not for a terminal; send it to a file, or to `wireshark -k -i -`");
        return CLI_EXIT_USAGE;
    }
    if (tap_pcap_begin(&self->line)) {
        cli_err("out of memory");
        return CLI_EXIT_SOFTWARE;
    }
    cli_out_span((struct span){ self->line.data, self->line.len });
    tap_sink_flush(self);
    return CLI_EXIT_OK;
}

int tap_sink_open(struct tap_sink *self, const struct cli *cli)
{
    struct tap_store_opts opts = { .path = cli_text(cli, "record"),
                                   .rotate_bytes = cli_number(cli, "rotate") * MIB,
                                   .keep = (unsigned)cli_number(cli, "keep") };
    int r;

    *self = (struct tap_sink){ .path = opts.path,
                               .is_json = cli_flag(cli, "json"),
                               .is_pcap = cli_flag(cli, "pcap"),
                               .with_bodies = cli_flag(cli, "bodies"),
                               .left_n = cli_given(cli, "count") ? cli_number(cli, "count") : UINT64_MAX };
    r = opts.path ? tap_store_new(&opts, &self->store) : 0;
    if (r) {
        store_explain(self, r);
    }
    return r ? CLI_EXIT_FAILED : self->is_pcap ? capture_begin(self) : CLI_EXIT_OK;
}

static int line_make(const struct tap_sink *self, const struct tap_record *record, struct text_buf *out)
{
    return self->is_pcap   ? tap_pcap_add(record, out)
           : self->is_json ? tap_line_json(record, out)
                           : tap_line_text(record, out);
}

static void line_write(struct tap_sink *self, const struct tap_record *record)
{
    self->line.len = 0;
    if (line_make(self, record, &self->line)) {
        cli_err("out of memory");
        self->is_broken = true;
    } else if (self->is_json || self->is_pcap) {
        cli_out_span((struct span){ self->line.data, self->line.len });
    } else {
        cli_out_safe((struct span){ self->line.data, self->line.len }, true);
    }
}

void tap_sink_take(void *arg, const struct tap_record *record)
{
    struct tap_sink *self = arg;
    struct tap_record shown = *record;
    int r = 0;

    if (tap_sink_is_done(self)) {
        return;
    }
    self->left_n--;
    if (!self->with_bodies) {
        shown.body = (struct span){ NULL, 0 };
    }
    if (!self->store) {
        line_write(self, &shown);
        return;
    }
    r = tap_store_add(self->store, &shown);
    if (r) {
        store_explain(self, r);
    }
}

void tap_sink_flush(struct tap_sink *self)
{
    int r = self->store && !self->is_broken ? tap_store_tick(self->store, clock_wall_us()) : 0;

    if (r) {
        store_explain(self, r);
    }
    self->is_broken = self->is_broken || !cli_out_flush() || !cli_out_is_open();
}

bool tap_sink_is_done(const struct tap_sink *self)
{
    return self->left_n == 0 || self->is_broken;
}

int tap_sink_close(struct tap_sink *self)
{
    int r;

    if (!self->store || self->is_broken) {
        return self->store ? CLI_EXIT_FAILED : CLI_EXIT_OK;
    }
    r = tap_store_close(self->store);
    if (r) {
        store_explain(self, r);
        return CLI_EXIT_FAILED;
    }
    cli_err("%llu envelopes recorded in %s", (unsigned long long)tap_store_records(self->store), self->path);
    return CLI_EXIT_OK;
}

void tap_sink_deinit(struct tap_sink *self)
{
    tap_store_destroy(&self->store);
    text_buf_deinit(&self->line);
}
