/*
 * secret_file: reads the file of a secret provider beside a loop, in a thread of its pool,
 * so that a disk that does not answer holds nobody up.
 */
#ifndef SCHEMA_BASE_SECRET_FILE_H
#define SCHEMA_BASE_SECRET_FILE_H

#include <stdint.h>
#include <uv.h>

#include "bus/base/span.h"
#include "schema/base/secret_path.h"

struct secret_file_opts {
    struct span path; /* absolute, or below "~"; copied */
    bool is_insecure_fine;
    uint32_t timeout_ms;
    size_t bytes_max;
    /* Called once, from the loop. `content` is gone after the call; `problem` is NULL when all is well. */
    void (*on_done)(void *arg, struct span content, const struct secret_problem *problem);
    void *arg;
};

struct secret_file;

/* 0 or a fault. */
int secret_file_start(uv_loop_t *loop, const struct secret_file_opts *opts, struct secret_file **ret_file);
/* on_done is not called any more. NULL-safe. It is gone once its thread is done. */
void secret_file_cancel(struct secret_file **file_p);

#endif
