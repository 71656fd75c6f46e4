/*
 * tap_sink: where the records of `bus tap` go: to standard output as lines or as a
 * capture, or into a recording, as --json, --pcap, --bodies, --count, --record, --rotate and
 * --keep say.
 */
#ifndef EDGE_CLI_TAP_SINK_H
#define EDGE_CLI_TAP_SINK_H

#include "edge/cli/cli.h"
#include "edge/cli/tap_store.h"

struct tap_sink {
    const char *path; /* of the recording; NULL: standard output */
    struct tap_store *store;
    struct text_buf line;
    bool is_json;
    bool is_pcap;
    bool with_bodies;
    bool is_broken;  /* nothing can be written any more; it was said why */
    uint64_t left_n; /* records still to take */
};

/* An exit code; what is wrong has been explained. */
int tap_sink_open(struct tap_sink *self, const struct cli *cli);
/* Takes a record unless it is done. */
void tap_sink_take(void *arg, const struct tap_record *record);
/* Whoever reads us gets what there is; what is recorded is on disk within a second. */
void tap_sink_flush(struct tap_sink *self);
/* It wants no more, or cannot take it. */
bool tap_sink_is_done(const struct tap_sink *self);
/* Finishes a recording and tells what is in it. An exit code. */
int tap_sink_close(struct tap_sink *self);
void tap_sink_deinit(struct tap_sink *self);

#endif
