/*
 * host: one process full of actors. Starts, watches, restarts and stops them, keeps
 * the directory of this process and syncs it with the gateway's supervisor.
 */
#ifndef BUS_HOST_H
#define BUS_HOST_H

#include <signal.h>
#include <stdint.h>

#include "bus/actor.h"
#include "bus/topology.h"
#include "bus/trunk.h"

struct curve_pair;

#define HOST_SIGNAL_RESTART SIGUSR1 /* as SIGTERM, and the actors know that they will be started again */

struct host_opts {
    const char *name;                       /* host name in the topology */
    const struct topology *topology;        /* borrowed for the life of the host */
    const char *run_dir;                    /* 0700 directory for ipc endpoints; NULL: one process, inproc only */
    const struct actor_def *const *defs;    /* every definition this program has, NULL-ended */
    const struct schema_registry *registry; /* every message */
    /* Which definition an address of the topology runs ("agent/main" → "agent") and with
     * which argument; returns the definition's name or NULL. */
    const char *(*def_of)(const char *address, const char **ret_arg);
    bool has_supervisor;  /* a supervising process listens in run_dir */
    uint32_t incarnation; /* of this host: 1 at first; given by the supervisor */
    const char *last_end; /* why the supervisor ended the life before; "" or NULL when it did not */
    const struct curve_pair
        *trunk_pair;                 /* it joins topology->tcp from another machine by this key; NULL: it does not */
    struct trunk_range trunk_speaks; /* then: versions of the bus between machines; zeros: all */
    const char *release;             /* and of this program */
    int pulse_fd;                    /* where the supervisor sees signs of life, owned; 0: nowhere */
    void (*on_ready)(void *arg);     /* every actor of the list is ready */
    /* The actor host/<name>, for use on the calling thread; NULL when it is going. May be NULL. */
    void (*on_actor)(void *arg, struct actor *actor);
    void *arg;
};

/*
 * Runs until told to stop (SIGTERM, SIGINT, HOST_SIGNAL_RESTART, the supervisor, host_stop) and every actor
 * has ended in reverse order of its start. Returns 0 or a fault.
 */
int host_run(const struct host_opts *opts);
/* From any thread, and from a signal handler. */
void host_stop(void);

#endif
