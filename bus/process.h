/*
 * process: the small supervising process. It holds what must outlive a crash (listening
 * socket, lock on the state directory, control socket), runs each host of the topology
 * as a child, and starts a dead one again. It speaks no outside protocol.
 */
#ifndef BUS_PROCESS_H
#define BUS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/curve.h"
#include "bus/host.h"
#include "bus/sockets.h"
#include "bus/trunk.h"

/*
 * The listening sockets, which outlive every host: hosts get them by asking (bus/sockets.h),
 * and can have them exchanged (bus.listen). Called on the thread that runs the process.
 */
struct process_sockets {
    /* Those that count now. */
    size_t (*list)(void *arg, int fds[SOCKETS_MAX]);
    /* Sees that some listen on `host` and `port`, beside those that count; with `is_taken` they count from then on,
     * and the others are closed. 1 when that changed something, 0, or -1 with the reason. NULL: never. */
    int (*listen)(void *arg, const char *host, uint16_t port, bool is_taken, char *why, size_t why_size);
    void *arg;
};

struct process_opts {
    struct topology *topology; /* guests come and go in it */
    const char *only_host; /* this machine is that host's, not the gateway's; NULL: all but those of other machines */
    const struct curve_pair *trunk_pair;    /* hosts of other machines may join by these keys; NULL: there are none */
    const char *keys_dir;                   /* who may (bus/curve.h) */
    bool (*may_leave)(const char *pattern); /* may actors like that be on another machine? NULL: all may */
    struct trunk_range trunk_speaks;        /* versions of the bus between machines; zeros: all */
    const char *release;                    /* of this program, for those of other machines */
    const char *run_dir;
    const struct schema_registry *registry;
    /* A child is this very program with this argument vector ([0] is only a name). The
     * process adds what host_opts needs as environment OPENCLAW_BUS_HOST, _INCARNATION,
     * _RUN_DIR, _SOCKETS_FD (bus/sockets.h), _PULSE_FD, _LAST_END, and _READY_FD: the child
     * writes a byte there when its host is ready, and closes it. */
    char *const *child_argv;
    /* The program that takes the place of this one when the operator asks for it, and what shows that it would start;
     * NULL: none does. */
    const char *program;
    char *const *trial_argv;
    /* What it is left, listening sockets and locks, at most `max`; the trial has them as well. NULL: nothing. */
    size_t (*leave)(void *arg, int *fds, size_t max);
    int *ret_program_fd;         /* that program, open; set with PROCESS_UPGRADE, and then the caller's */
    unsigned upgrades_n;         /* how often that has happened in this process */
    unsigned upgrades_failed_n;  /* how often the new program could not be executed after all */
    const char *upgrade_failure; /* why not, of the last time; "": it could, or there was none */
    const int *keep_fds;         /* inherited by children */
    size_t keep_fds_n;
    struct process_sockets sockets;
    const char *clients_path;    /* file of one of them in the run directory: put back when it is gone; NULL: none */
    const char *control_path;    /* Unix socket for the operator, peer credentials checked */
    void (*on_ready)(void *arg); /* all hosts have reported ready, first time; or NULL */
    /* The actor `supervisor`, for use on this thread while the process runs; NULL when it
     * is going. May be NULL. */
    void (*on_actor)(void *arg, struct actor *actor);
    void *arg;
};

#define PROCESS_UPGRADE 256 /* no exit code: all has ended, and `program` is to be executed */

/* A program on trial proves what it is: the text of this variable, a space, its release and a line feed, written to
 * this descriptor. */
#define PROCESS_TRIAL_ENV "OPENCLAW_TRIAL"
#define PROCESS_TRIAL_FD 3

/* What a program was left: how often that has happened, a space, the descriptors with commas between them. */
#define PROCESS_LEFT_ENV "OPENCLAW_HANDOVER"
#define PROCESS_LEFT_MAX 300

/* Runs until SIGTERM, SIGINT or SIGHUP; SIGUSR1 restarts every host. 0, PROCESS_UPGRADE, or the
 * exit code that the command line should use. */
int process_run(const struct process_opts *opts);

#endif
