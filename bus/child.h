/*
 * child: starts one process that cannot outlive its parent.
 */
#ifndef BUS_CHILD_H
#define BUS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct child_opts {
    const char *path;       /* of the program */
    char *const *argv;      /* argv[0] is only a name */
    const char *const *env; /* "NAME=value" added to, or replacing, the environment; NULL-ended */
    const int *keep_fds;    /* the only descriptors above 2 that it inherits */
    size_t keep_fds_n;
    bool is_foreign; /* another program: it sees `env` alone, and can gain no rights by what it executes */
};

/*
 * Starts it with default signal handling. The kernel kills it when this thread's process
 * ends, however that happens; call from a thread that lives as long. 0 or a fault; a
 * program that cannot be executed ends with status 127.
 */
int child_start(const struct child_opts *opts, pid_t *ret_pid);

/* In a child between fork and exec: no signal is blocked, ignored or handled any more. */
void child_signals_reset(void);

#endif
