/*
 * previous: where a run goes on that names an earlier one. While that one is the newest of
 * its session, it is that session; later it is a session of its own, a branch, which begins
 * with a copy of what was said up to the earlier run.
 */
#ifndef ACTORS_AGENT_PREVIOUS_H
#define ACTORS_AGENT_PREVIOUS_H

#include "actors/agent/store.h"

#define PREVIOUS_BYTES_MAX (4U << 20) /* of the messages of a copy */
#define PREVIOUS_MESSAGES_MAX 8192U

struct agent;
struct msg_agent_run;

enum {
    PREVIOUS_E_STORE = 1,  /* the store said no */
    PREVIOUS_E_ABSENT = 2, /* no such run here, or it belongs to another session than the asker's */
    PREVIOUS_E_OPEN = 3,   /* it is to be copied, and has not ended yet */
    PREVIOUS_E_LARGE = 4,  /* it is to be copied, and is too much */
};

struct previous {
    char key[STORE_KEY_MAX]; /* of the session where it goes on */
    bool is_branch;          /* that session is still to be made */
    struct store_branch branch;
};

/* Writes nothing. */
int previous_find(struct agent *self, const struct msg_agent_run *in, struct previous *ret_previous);

#endif
