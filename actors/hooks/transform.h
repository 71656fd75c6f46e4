/*
 * transform: runs modules of the user for Node.js, which make of a request what a hook asks for: each in a process of
 * its own, few at once, the others wait in order. Nothing of one is left when it is done, cancelled, or the actor ends.
 */
#ifndef ACTORS_HOOKS_TRANSFORM_H
#define ACTORS_HOOKS_TRANSFORM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define TRANSFORM_RUNNING_MAX 4U
#define TRANSFORM_WAITING_MAX 64U
#define TRANSFORM_MS 20000U
#define TRANSFORM_OUTPUT_MAX ((size_t)2 << 20) /* what it makes and what it prints together */
#define TRANSFORM_ERRORS_MAX 1024U             /* of what it printed last; the log gets it */

/* transform_runner.mjs, terminated. */
extern const char transform_script[];

struct transform;
struct transforms {
    uv_loop_t *loop;
    struct transform *first; /* oldest */
    size_t waiting_n;
    size_t running_n;
    bool is_closing; /* none of those that wait is begun any more */
};

struct transform_end {
    struct span output;  /* JSON as the script writes it, when it ended well */
    const char *problem; /* NULL: it did; else why not, in words without any of the module's own */
    struct span errors;  /* what it printed last: words of the module */
};

struct transform_job {
    const char *node; /* the program */
    const char *dir;  /* where it runs */
    /* Called once, from the loop, unless it was cancelled; what it is given is gone after the call. */
    void (*on_done)(void *arg, const struct transform_end *end);
    void *arg;
};

enum {
    TRANSFORM_E_FULL = 1, /* too many wait */
};

/* Begins one, or has it wait; takes what `input` holds, also when it fails. 0, an outcome, or -ENOMEM. */
int transform_start(struct transforms *self, const struct transform_job *job, struct text_buf *input,
                    struct transform **ret_transform);
/* It ends, and all that it started; NULL-safe. */
void transform_cancel(struct transform **transform_p);

#endif
