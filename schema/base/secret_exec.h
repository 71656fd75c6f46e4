/*
 * secret_exec: runs one program of a secret provider on a loop: without a shell, with limits on time and
 * output. Nothing that it started is left afterwards (secret_keeper).
 */
#ifndef SCHEMA_BASE_SECRET_EXEC_H
#define SCHEMA_BASE_SECRET_EXEC_H

#include <stdint.h>
#include <uv.h>

#include "bus/base/span.h"
#include "schema/base/secret_answer.h"

struct secret_exec_opts {
    const char *command; /* absolute */
    char *const *argv;   /* NULL-ended, argv[0] included; needed until the start has returned */
    char *const *envp;   /* NULL-ended, all it gets */
    struct span input;   /* for its standard input; copied */
    uint32_t timeout_ms;
    uint32_t quiet_ms; /* most time between two outputs, and before the first */
    size_t output_max; /* bytes on standard output and standard error together */
    /* Called once, from the loop. `output` is what it wrote to standard output, when it ended well (`problem` is
     * NULL); gone after the call. */
    void (*on_done)(void *arg, struct span output, const struct secret_problem *problem);
    void *arg;
};

struct secret_exec;

/* 0, or a fault when it could not even be tried. */
int secret_exec_start(uv_loop_t *loop, const struct secret_exec_opts *opts, struct secret_exec **ret_exec);
/* Kills it; on_done is not called any more. NULL-safe. It is gone once the loop has closed its handles. */
void secret_exec_cancel(struct secret_exec **exec_p);

#endif
