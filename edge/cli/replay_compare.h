/*
 * replay_compare: in what two answers differ, apart from what differs each time: times,
 * generated ids, places in the file system, counters of a process. Pure.
 */
#ifndef EDGE_CLI_REPLAY_COMPARE_H
#define EDGE_CLI_REPLAY_COMPARE_H

#include <stdbool.h>

#include "bus/json.h"

#define REPLAY_DIFFERENCES_MAX 64U /* of one answer; more are counted */
#define REPLAY_PATH_MAX 160
#define REPLAY_TEXT_MAX 160

struct replay_difference {
    char path[REPLAY_PATH_MAX];     /* "sessions/0/key"; "" for the whole */
    char recorded[REPLAY_TEXT_MAX]; /* as JSON, cut; "absent" when it was not there */
    char replayed[REPLAY_TEXT_MAX];
};

struct replay_comparison {
    bool is_strict; /* what differs each time counts, too */
    struct replay_difference differences[REPLAY_DIFFERENCES_MAX];
    unsigned differences_n; /* also those that found no place */
    unsigned passed_over;   /* values that differ each time */
};

/* Both have passed wire_check, or are empty. */
void replay_compare(struct replay_comparison *self, struct span recorded, struct span replayed);

#endif
