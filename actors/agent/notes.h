/*
 * notes: what an agent shall know in the next turn of a session without being asked: that
 * a command on a node ended, that an operator or a hook said something. Kept until a turn
 * that had them ended well. Pure; the store has the same on disk.
 */
#ifndef ACTORS_AGENT_NOTES_H
#define ACTORS_AGENT_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define NOTES_PER_SESSION 20U /* of those that are kept, and as many others */
#define NOTES_MAX 1000U       /* of all sessions, likewise */

struct note;

/* All borrowed. */
struct note_text {
    struct span session_key;
    struct span text;
    bool is_trusted;
    bool is_kept; /* gives way to no other: whoever wrote it was told that it will be read */
    int64_t at_ms;
    uint64_t number; /* grows; 0: the next one */
};

enum {
    NOTES_E_SAID = 1, /* the newest one of the session says the same and was not read yet */
    NOTES_E_FULL = 2, /* as many as may be kept wait already */
};

struct notes {
    struct note *first; /* oldest */
    size_t notes_n;     /* of them ... */
    size_t kept_n;      /* ... kept */
    uint64_t last_number;
};

/* Takes a note; the oldest that is not kept gives way, and `ret_gone` is its number, else 0. 0, with the note's number
 * in `ret_number`, or an outcome. */
int notes_add(struct notes *self, const struct note_text *in, uint64_t *ret_number, uint64_t *ret_gone);
/* Appends the notes of a session, oldest first, each line of them marked as what it is; the
 * number of the newest is set, 0 when there is none. 0 or -ENOMEM. */
int notes_read(struct notes *self, struct span key, struct text_buf *out, uint64_t *ret_number);
/* Forgets the notes of a session up to that number: a turn that had them ended well. */
void notes_drop(struct notes *self, struct span key, uint64_t number);
/* Forgets all; numbers go on. */
void notes_deinit(struct notes *self);

#endif
