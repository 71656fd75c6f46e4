/*
 * changing: a hook on its way through a transform: which module that is, what it is given, and what it said.
 */
#ifndef ACTORS_HOOKS_CHANGING_H
#define ACTORS_HOOKS_CHANGING_H

#include <limits.h>

#include "actors/hooks/settings.h"
#include "actors/hooks/transform.h"
#include "bus/pack.h"

#define CHANGING_PROBLEM_MAX 512U

struct msg_hook_post;

struct changing {
    struct transform *transform;
    char node[PATH_MAX];
    char dir[PATH_MAX]; /* of the modules */
    char module[PATH_MAX];
    char path[129]; /* of the hook, for the log */
};

enum {
    CHANGING_E_FAILED = 1,   /* the problem is for the sender; the log has more of it */
    CHANGING_E_UNSERVED = 2, /* there is no program for it */
    CHANGING_E_SKIPPED = 3,  /* the module wants nothing done */
};

/* Which module, and what runs it. 0 or an outcome with the problem. */
int changing_begin(struct changing *self, const struct settings *settings, struct span transform,
                   const struct msg_hook_post *in, char problem[CHANGING_PROBLEM_MAX]);
/* Appends what it is given, as JSON. 0 or -ENOMEM. */
int changing_ask(const struct changing *self, const struct settings *settings, struct span transform,
                 const struct msg_hook_post *in, struct text_buf *out);
void changing_deinit(struct changing *self);

struct changing_said {
    struct span action; /* packed; empty: nothing */
    char problem[CHANGING_PROBLEM_MAX];
    struct pack pack;
};
/* What came of it. 0 (then it is to be deinitialized), or an outcome. */
int changing_hear(const struct changing *self, const struct transform_end *end, struct changing_said *ret_said);
void changing_said_deinit(struct changing_said *self);

#endif
