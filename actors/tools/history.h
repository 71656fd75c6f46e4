/*
 * history: messages of a session as another one is shown them: without what is only for
 * accounts, long texts cut, and the newest alone as far as they fit. Pure.
 */
#ifndef ACTORS_TOOLS_HISTORY_H
#define ACTORS_TOOLS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"
#include "bus/pack.h"

#define HISTORY_BYTES_MAX ((size_t)80 << 10)
#define HISTORY_TEXT_MAX 4000U /* characters of one text */

struct history {
    bool is_cut;     /* something of a message was left out */
    bool is_dropped; /* older messages were */
    size_t bytes;    /* of what is left, packed */
};

/* Appends a packed list of messages; without calls of tools and their results unless `with_tools`. The newest `most`.
 */
void history_pack(struct span messages, bool with_tools, size_t most, struct pack *out, struct history *ret_history);

#endif
