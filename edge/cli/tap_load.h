/*
 * tap_load: reads a recording of the tap (tap_store.h). Any file may be given: what is no
 * recording is refused, what is damaged is passed over and counted.
 */
#ifndef EDGE_CLI_TAP_LOAD_H
#define EDGE_CLI_TAP_LOAD_H

#include "edge/cli/tap_store.h"

struct tap_load;

enum {
    TAP_LOAD_E_END = 1,     /* no more records */
    TAP_LOAD_E_FOREIGN = 2, /* no recording, or one of another version */
};

/* Takes the descriptor. 0, TAP_LOAD_E_FOREIGN or a fault. */
int tap_load_new(int fd, struct tap_load **ret_load);
void tap_load_destroy(struct tap_load **load_p);

/*
 * The next record that fits, in the order of the file; what it borrows lives until the
 * next call. Blocks that hold none are passed over unread as far as the index can tell.
 * 0, TAP_LOAD_E_END or a fault.
 */
int tap_load_next(struct tap_load *self, const struct tap_filter *filter, struct tap_record *ret_record);

struct tap_load_sums {
    uint64_t blocks;  /* met so far */
    uint64_t skipped; /* of them passed over unread */
    uint64_t damaged; /* of them not to be read */
    bool is_indexed;
    bool is_cut; /* it ends within a block: whoever wrote it did not close it */
};
struct tap_load_sums tap_load_sums(const struct tap_load *self);

#endif
