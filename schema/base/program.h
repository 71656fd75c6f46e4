/*
 * program: runs one program on a loop: without a shell, with limits on time and output. Nothing
 * that it started is left afterwards (program_keeper).
 */
#ifndef SCHEMA_BASE_PROGRAM_H
#define SCHEMA_BASE_PROGRAM_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bus/base/span.h"

#define PROGRAM_PROBLEM_MAX 256U

struct program_bounds;

struct program_opts {
    const char *command; /* absolute */
    char *const *argv;   /* NULL-ended, argv[0] included; needed until the start has returned */
    char *const *envp;   /* NULL-ended, all it gets */
    struct span input;   /* for its standard input; copied */
    bool is_secret;      /* what it says */
    bool is_input_file;  /* it comes as a file in memory, which can be read anywhere, in place of a pipe */
    uint32_t timeout_ms;
    uint32_t quiet_ms;                   /* most time between two outputs, and before the first */
    size_t output_max;                   /* bytes on standard output and standard error together */
    const struct program_bounds *bounds; /* what it may do beyond that; NULL: what we may */
    const char *work_dir;                /* made for it, gone afterwards, see program_keeper; NULL: `dir` */
    const char *dir;                     /* where it runs; NULL: that of the command */
    /* Its output is what it writes to descriptor 3; standard output is then as standard error, so that whatever it
     * prints spoils nothing. */
    bool is_output_apart;
    /* What it writes to standard error, as it comes; gone after the call. NULL: shown to nobody. */
    void (*on_errors)(void *arg, struct span bytes);
    /* Called once, from the loop. `output` is what it wrote to standard output, when it ended well (`problem` is
     * NULL; else why not, in words without any of the program's own); gone after the call. */
    void (*on_done)(void *arg, struct span output, const char *problem);
    void *arg;
};

struct program;

/* The first of that name in the directories of PATH that may be run. */
bool program_find(const char *name, char ret_path[PATH_MAX]);
/* 0, or a fault when it could not even be tried. */
int program_start(uv_loop_t *loop, const struct program_opts *opts, struct program **ret_program);
/* Kills it; on_done is not called any more. NULL-safe. It is gone once the loop has closed its handles. */
void program_cancel(struct program **program_p);

#endif
