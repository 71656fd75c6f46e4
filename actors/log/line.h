/*
 * line: one line of the log file, as JSON. Pure.
 */
#ifndef ACTORS_LOG_LINE_H
#define ACTORS_LOG_LINE_H

#include <stdint.h>

#include "bus/base/log.h"
#include "bus/base/span.h"
#include "bus/json.h"

#define LINE_TIME_LEN 32

struct line {
    int64_t ts_ms;
    struct span level; /* debug, info, warning, error */
    struct span event;
    struct span text;
    struct span actor; /* may be empty */
    struct span host;  /* may be empty */
    uint32_t pid;      /* 0: unknown */
};

/* 2026-11-22T15:52:22.111+00:00 */
void line_time(int64_t ts_ms, char ret_text[LINE_TIME_LEN]);
/* Lower is chattier; unknown names count as info. */
enum log_level line_level(struct span name);
/*
 * Appends the line with its end, secrets masked. Beside our own keys it carries those
 * that readers of the protocol look for (time, "0", _meta). 0 or -ENOMEM.
 */
int line_format(const struct line *line, struct text_buf *out);

#endif
