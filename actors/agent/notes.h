/*
 * notes: what an agent shall know in the next turn of a session without being asked: that
 * a command on a node ended, that an operator said something. Kept until a turn that had
 * them ended well. Pure. In memory alone.
 */
#ifndef ACTORS_AGENT_NOTES_H
#define ACTORS_AGENT_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define NOTES_PER_SESSION 20U
#define NOTES_MAX 1000U /* of all sessions */

struct note;

struct notes {
    struct note *first; /* oldest */
    size_t notes_n;
    uint64_t last_number;
};

/* Keeps a note, unless the newest one of the session says the same and was not read yet; the
 * oldest give way. */
void notes_add(struct notes *self, struct span key, struct span text, bool is_trusted, int64_t now_ms);
/* Appends the notes of a session, oldest first, each line of them marked as what it is; the
 * number of the newest is set, 0 when there is none. 0 or -ENOMEM. */
int notes_read(struct notes *self, struct span key, struct text_buf *out, uint64_t *ret_number);
/* Forgets the notes of a session up to that number: a turn that had them ended well. */
void notes_drop(struct notes *self, struct span key, uint64_t number);
void notes_deinit(struct notes *self);

#endif
