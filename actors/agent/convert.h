/*
 * convert: programs of the system that read what strangers send, as processes of their own
 * within bounds (program_bounds): a few at a time, the others wait.
 */
#ifndef ACTORS_AGENT_CONVERT_H
#define ACTORS_AGENT_CONVERT_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "bus/base/span.h"

#define CONVERTS_RUNNING_MAX 2U
#define CONVERT_MS 20000U /* for one program */
#define CONVERT_OUTPUT_MAX ((size_t)20 << 20)
#define CONVERT_PROBLEM_MAX 256U

struct convert;

/* Of one agent. Zeroed, with `loop` set. */
struct converts {
    uv_loop_t *loop;
    struct convert *first; /* running and waiting, oldest first */
    uint32_t running_n;
};

struct convert_job {
    const char *program;     /* its name; looked for in PATH */
    const char *package;     /* that has it, for people */
    const char *const *argv; /* NULL-ended, without the name; must outlive the job */
    struct span input;       /* the file /dev/stdin; must outlive the job */
    bool makes_picture;      /* it writes the file "out.jpg" in place of its standard output */
    /* Once, from the loop, never from inside convert_start. `problem` is NULL when it went well; `output` is borrowed.
     */
    void (*on_done)(void *arg, struct span output, const char *problem);
    void *arg;
};

enum {
    CONVERT_E_FAILED = 1, /* `problem` says why: the program is not installed, say */
};
int convert_start(struct converts *self, const struct convert_job *job, char problem[CONVERT_PROBLEM_MAX],
                  struct convert **ret_convert);
/* Kills it; on_done is not called. NULL-safe. */
void convert_cancel(struct convert **convert_p);

#endif
