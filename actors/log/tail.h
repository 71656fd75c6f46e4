/*
 * tail: lines of the log file for a reader that comes again. Pure but for tail_read.
 *
 * A cursor counts the bytes ever written; one from before the current file means that
 * the reader has missed a rotation. With a cursor a reader gets what follows it, at most
 * so many lines and bytes at once, and loses nothing; without one it gets the end.
 */
#ifndef ACTORS_LOG_TAIL_H
#define ACTORS_LOG_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/log/file.h"
#include "bus/json.h"
#include "bus/pack.h"

#define TAIL_LINES_DEFAULT 500
#define TAIL_BYTES_DEFAULT 250000
#define TAIL_LINE_MAX 65536 /* a line is read up to here even when fewer bytes were asked for */

struct tail_ask {
    bool has_cursor;
    uint64_t cursor;
    uint32_t lines_max;
    uint32_t bytes_max;
};

/* Which bytes of the file to look at. */
struct tail_window {
    uint64_t start; /* offset in the file */
    uint64_t len;
    bool is_from_cursor; /* else from the end */
    bool is_reset;       /* the cursor was of no use */
    bool is_truncated;   /* older lines were left out */
    bool has_partial;    /* the window may begin inside a line */
};

/*
 * Packs the lines of `bytes` (a window) as strings of an open array. Returns how many
 * bytes of the window are done with: the next cursor is behind them.
 */
size_t tail_lines_pack(struct span bytes, struct tail_window *window, const struct tail_ask *ask, struct pack *out);

/* The whole reply of logs.tail. 0, FILE_E_DISK, or a fault; `buf` is scratch. */
int tail_read(struct file *file, const struct tail_ask *ask, struct text_buf *buf, struct pack *out);

#endif
