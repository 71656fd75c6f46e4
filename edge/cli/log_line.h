/*
 * log_line: one line of a gateway's log file, for people and for programs.
 */
#ifndef EDGE_CLI_LOG_LINE_H
#define EDGE_CLI_LOG_LINE_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"

struct log_line {
    bool is_parsed; /* false: raw is all there is */
    struct span raw;
    struct pack doc;   /* the line as msgpack; the spans below borrow from it */
    struct span time;  /* RFC 3339, as in the file */
    struct span level; /* "INFO", "WARN", …; empty when absent */
    struct span message;
    struct pack subsystem_doc;
    struct span subsystem; /* empty when absent */
};

/* Keeps `raw` borrowed. */
void log_line_init(struct log_line *self, struct span raw);
void log_line_deinit(struct log_line *self);

/* Appends {"type":"log", time, level, subsystem, message, raw}, or {"type":"raw", raw}. */
void log_line_pack(const struct log_line *self, struct pack *out);
/* Prints "15:52:19.128 info  gateway  text"; with styles unless `is_plain`. */
void log_line_print(const struct log_line *self, bool is_plain, bool is_local_time);

/*
 * "2026-11-22T15:52:19.128+00:00" in the local time zone, with its offset; `text` as it
 * is when it is no such time.
 */
void log_line_local_time(struct span text, char *out, size_t out_size);

#endif
