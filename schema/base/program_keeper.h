/*
 * program_keeper: the process between us and a program that we run. Whatever the program
 * starts becomes the keeper's child when its own parent ends (PR_SET_CHILD_SUBREAPER), also what has left
 * its process group and session, so that nothing of it outlives the program, a SIGTERM to the keeper, or us.
 */
#ifndef SCHEMA_BASE_PROGRAM_KEEPER_H
#define SCHEMA_BASE_PROGRAM_KEEPER_H

#include <stdbool.h>
#include <sys/types.h>

#define PROGRAM_KEEPER_NOT_EXECUTED 127
#define PROGRAM_KEEPER_OUTPUT "out.jpg"

struct program_bounds;

struct program_keeper_opts {
    const char *command;                 /* absolute */
    char *const *argv;                   /* NULL-ended */
    char *const *envp;                   /* NULL-ended */
    const char *dir;                     /* where it runs */
    int ends[3];                         /* its standard input, output and error, each above 3 */
    bool is_output_apart;                /* its output becomes descriptor 3, and standard output is as standard error */
    const struct program_bounds *bounds; /* NULL: none */
    /*
     * Where it runs instead of `dir`, for programs that write files alone: made for it, and removed at its end.
     * PROGRAM_KEEPER_OUTPUT in it is its standard output; nothing else can be made there. NULL: none.
     */
    const char *work_dir;
    pid_t parent; /* whose end is the program's as well */
};

/*
 * In the child of a fork at which all signals were blocked; from there to exec only async-signal-safe calls,
 * since other threads may have held locks. Ends as the program ended: with its code, or by its signal;
 * with PROGRAM_KEEPER_NOT_EXECUTED when it cannot be run.
 */
_Noreturn void program_keeper_run(const struct program_keeper_opts *opts);

#endif
