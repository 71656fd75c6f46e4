/*
 * log_tail: the last lines of a log file, read without its gateway.
 */
#ifndef EDGE_CLI_LOG_TAIL_H
#define EDGE_CLI_LOG_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

enum {
    LOG_TAIL_E_UNREADABLE = 1, /* errno tells why */
};

/*
 * Calls `on_line` for at most `lines_max` whole lines among the last `bytes_max` bytes,
 * oldest first. `ret_size` is the size of the file.
 */
int log_tail_read(const char *path, uint64_t lines_max, uint64_t bytes_max,
                  void (*on_line)(void *arg, struct span line), void *arg, uint64_t *ret_size);

#endif
