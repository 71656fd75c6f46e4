/*
 * beat_file: HEARTBEAT.md of a workspace.
 */
#ifndef ACTORS_AGENT_BEAT_FILE_H
#define ACTORS_AGENT_BEAT_FILE_H

#include "bus/json.h"

#define BEAT_FILE_MAX ((size_t)65536) /* bytes that are read; what is longer is cut */

enum {
    BEAT_FILE_E_ABSENT = 1, /* there is none */
    BEAT_FILE_E_UNFIT = 2,  /* something else of that name, or no text */
};

/* Appends its text. 0, an outcome or -ENOMEM. */
int beat_file_read(const char *workspace, struct text_buf *out);

#endif
