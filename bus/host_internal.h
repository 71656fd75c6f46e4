/*
 * host_internal: one process full of actors as its parts see it: host.c starts and stops
 * all in order, slot.c keeps one of them alive, host_ops.c does what the node is asked
 * for. Only they include this.
 */
#ifndef BUS_HOST_INTERNAL_H
#define BUS_HOST_INTERNAL_H

#include "bus/host.h"
#include "bus/node.h"
#include "bus/pulse.h"
#include "bus/supervisor.h"
#include "bus/trunk_leaf.h"

/* One address this host is to run. */
struct slot {
    struct slot *next; /* in order of start */
    struct host *host;
    const struct actor_def *def;
    char address[ACTOR_ADDRESS_MAX];
    char *arg;      /* read by the thread; replaced only while it does not run */
    char *next_arg; /* for the life after this one, or NULL */
    char local[LINK_ENDPOINT_MAX];
    char remote[LINK_ENDPOINT_MAX];
    char node_endpoint[LINK_ENDPOINT_MAX];
    zactor_t *thread; /* NULL: not running */
    struct actor_stats stats;
    struct pulse *pulse; /* NULL: nobody watches */
    struct supervisor_state policy;
    uv_timer_t timer; /* back-off, or the wait for its end */
    enum actor_life life;
    uint32_t incarnation;
    uint32_t retry_after_ms;
    int last_fault;
    char status[DIRECTORY_STATUS_MAX];
    char told[DIRECTORY_STATUS_MAX]; /* why it ended, as the log has it since it was ready last; or "" */
    bool is_up;
    bool is_wanted;   /* to be started again when it ends */
    bool is_stopping; /* told to stop */
    bool is_restart_asked;
    bool is_resting; /* stopped, or told to, as one before it ended; started again after that one */
    bool is_initial; /* of the topology's list */
    bool was_started;
    bool was_ready;
};

struct host {
    struct host_opts own_opts; /* what came of those that were given */
    const struct host_opts *opts;
    struct trunk_leaf *trunk; /* NULL: this is the gateway's machine */
    uv_loop_t loop;
    struct node *node;
    uint64_t started_ms;
    struct pulse_page *pulses; /* NULL: nobody watches */
    struct pulse *pulse;       /* of the node */
    struct slot *slots;
    struct slot *starting; /* the one whose readiness the rest waits for */
    struct slot *rest;     /* rest_for_one: it waits until those after it have ended; or NULL */
    uv_timer_t start_timer;
    uv_signal_t signals[3];
    uv_async_t stop_async;
    uint32_t endpoint_seq;
    bool is_rest_for_one;
    bool is_stopping;
    bool is_reviving;  /* it stops only to be started again */
    bool is_announced; /* on_ready was called */
    bool has_hung;     /* an actor did not stop: the process must end without joining it */
    int fault;
};

/* --- host.c ----------------------------------------------------------------------------------- */

/* Starts what is to be started, side by side, up to one that the rest waits for. */
void host_start_next(struct host *self);
/* Starts one for which the rest waits. */
void host_start_first(struct slot *slot);

/* --- host_rest.c ------------------------------------------------------------------------------ */

/* It ends unasked and will be started again: those after it end now, the newest first. */
void host_rest_begin(struct slot *slot);
/* Does the end of another one take it along? */
bool host_rest_takes(const struct slot *slot);
/* One of them has ended: the next. When all have, the first starts, if its back-off is over. */
void host_rest_next(struct host *self);
/* It will not come back, or not as part of this. */
void host_rest_forget(struct slot *slot);

/* --- slot.c -------------------------------------------------------------------------------- */

struct slot *slot_find(struct host *self, struct span address);
struct slot *slot_add(struct host *self, const char *address, const struct actor_def *def, const char *arg);
/* Forgets one whose actor has ended. */
void slot_remove(struct slot *slot);
/* Tells the directory how it is. */
void slot_tell(struct slot *slot);
void slot_start(struct slot *slot);
/* Its actor has ended unasked: the policy decides. */
void slot_recover(struct slot *slot);
/* Asks it to stop; a process whose actor does not obey ends, if all are to. */
void slot_stop(struct slot *slot);
void slot_stop_word(struct slot *slot);

/* --- host_ops.c ------------------------------------------------------------------------------ */

/* NULL when this program has none of that name. */
const struct actor_def *host_ops_def(struct host *self, const char *name);
bool host_ops_spawn(void *arg, const char *address, const char *def_name, const char *spawn_arg);
void host_ops_despawn(void *arg, const char *address);
bool host_ops_restart(void *arg, const char *address);
void host_ops_actors(void *arg, struct pack *pack);

#endif
