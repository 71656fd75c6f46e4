/*
 * tap_parts: the files of one recording, the oldest first: FILE.3, FILE.2, FILE.1, FILE.
 */
#ifndef EDGE_CLI_TAP_PARTS_H
#define EDGE_CLI_TAP_PARTS_H

#include "edge/cli/tap_load.h"

struct tap_parts {
    const char *path;
    unsigned number; /* of the file that is open */
    struct tap_load *load;
    bool is_end; /* the last call had no record any more */
};

/* An exit code; what is wrong has been explained, here and below. Zeroed before. */
int tap_parts_open(struct tap_parts *self, const char *path);
/* The next record that fits, borrowed until the next call, or `is_end`. */
int tap_parts_next(struct tap_parts *self, const struct tap_filter *filter, struct tap_record *ret_record);
void tap_parts_close(struct tap_parts *self);

#endif
