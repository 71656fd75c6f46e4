/*
 * process: the small supervising process. It holds what must outlive a crash (listening
 * socket, lock on the state directory, control socket), runs each host of the topology
 * as a child, and starts a dead one again. It speaks no outside protocol.
 */
#ifndef BUS_PROCESS_H
#define BUS_PROCESS_H

#include <stdint.h>

#include "bus/host.h"

struct process_opts {
    const struct topology *topology;
    const char *run_dir;
    const struct schema_registry *registry;
    /* A child is this very program with this argument vector ([0] is only a name). The
     * process adds what host_opts needs as environment OPENCLAW_BUS_HOST, _INCARNATION,
     * _RUN_DIR, and OPENCLAW_BUS_READY_FD: the child writes a byte there when its host is
     * ready, and closes it. */
    char *const *child_argv;
    const int *keep_fds; /* inherited by children (listening sockets) */
    size_t keep_fds_n;
    /* For each of them the path of its file in the run directory, which is put back when
     * it is gone, or NULL. NULL: none has one. */
    const char *const *keep_paths;
    const char *control_path;    /* Unix socket for the operator, peer credentials checked */
    void (*on_ready)(void *arg); /* all hosts have reported ready, first time; or NULL */
    /* The actor `supervisor`, for use on this thread while the process runs; NULL when it
     * is going. May be NULL. */
    void (*on_actor)(void *arg, struct actor *actor);
    void *arg;
};

/* Runs until SIGTERM, SIGINT or SIGHUP; SIGUSR1 restarts every host. 0, or the exit code
 * that the command line should use. */
int process_run(const struct process_opts *opts);

#endif
