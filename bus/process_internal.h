/*
 * process_internal: the supervising process as its parts see it: process.c keeps the
 * children, process_ops.c answers the operator, process_tap.c keeps the watchers,
 * process_operate.c answers operators who come by way of an edge, process_dir.c the run directory, process_sockets.c
 * the listening sockets, process_memory.c an eye on caps, process_pulse.c one on what hangs, process_exec.c starts
 * hosts that are other programs, process_trunk.c knows those of other machines, process_guest.c those among them that
 * no file names,
 * process_upgrade.c makes way for another program. Only they include this.
 */
#ifndef BUS_PROCESS_INTERNAL_H
#define BUS_PROCESS_INTERNAL_H

#include <uv.h>

#include "bus/control.h"
#include "bus/node.h"
#include "bus/process.h"
#include "bus/pulse.h"
#include "bus/stall.h"
#include "bus/supervisor.h"
#include "bus/trunk_hub.h"

struct guest_refusal;
struct process;
struct socket_channel;
struct upgrade_trial;

#define PROCESS_NOT_JOINED "it has not joined"
#define PROCESS_HELD_MAX 256

/* One host of the topology: its process, or the wait for the next one. */
struct hostling {
    struct process *process;
    const struct topology_host *host;
    enum actor_life life;
    pid_t pid;      /* 0: none runs here */
    bool is_remote; /* somebody else starts and ends it; here it is only known */
    uint32_t incarnation;
    uint32_t wire;                   /* of a remote one that has joined: the version of the bus that both speak */
    char release[TRUNK_RELEASE_MAX]; /* and what it runs; empty when it does not say */
    uint32_t dir_life;               /* of the run directory that it knows */
    uint64_t started_ms;
    int last_status; /* of waitpid, of the life before */
    bool has_died;
    bool is_over_memory;   /* this life is told to end, as it has grown beyond its cap */
    bool is_ended;         /* we have ended this life; last_end says why */
    bool has_said;         /* it ended by itself, and said why, which last_end has */
    bool is_restart_asked; /* the operator stops this life; start the next at once */
    bool is_hung;          /* this life was killed, as an actor of it, or all of it, stood still */
    bool is_stopped;       /* by a signal; see stopped_ms */
    bool is_silent;        /* that was told */
    bool is_suspected;     /* one of its actors may hang: it is looked at more often */
    uint64_t stopped_ms;
    uint64_t cpu_ns;                /* of its process, when last looked at */
    struct pulse_page *pulse;       /* its actors' signs of life; NULL: not watched */
    int pulse_fd;                   /* for the child */
    struct stall *stalls;           /* PULSE_ACTORS_MAX */
    char last_end[PULSE_WORD_MAX];  /* why the life before was ended, or ended itself; empty when nobody says */
    char held[PROCESS_HELD_MAX];    /* of a remote one: why the list of who may join keeps it out; empty: it does not */
    char refused[PROCESS_HELD_MAX]; /* and why it is let no further when it knocks; empty: it does not knock */
    struct supervisor_state supervisor;
    uv_timer_t timer;               /* next start; or, when stopping this host alone, its deadline */
    struct ready_pipe *ready;       /* this life says there that it serves; NULL when it has, or is over */
    struct socket_channel *sockets; /* this life asks there; NULL when none runs */
};

/* Lives until its close callback, so each life of a host has one of its own. */
struct ready_pipe {
    uv_pipe_t pipe;
    struct hostling *host;
    char bytes[16]; /* what they are does not matter */
};

struct process {
    const struct process_opts *opts;
    uv_loop_t loop;
    uv_signal_t on_term;
    uv_signal_t on_int;
    uv_signal_t on_hup;
    uv_signal_t on_usr1;
    uv_signal_t on_child;
    uv_timer_t stop_timer;
    uv_timer_t memory_timer;
    uv_timer_t pulse_timer;
    uint64_t pulse_ms;   /* when it last fired */
    uint64_t memory_cap; /* bytes, of hosts without a cap of their own */
    uv_timer_t dir_timer;
    uv_fs_event_t dir_event;
    struct node *node;      /* address "supervisor" */
    struct hostling *hosts; /* TOPOLOGY_HOSTS_MAX; none moves. Their order is that of the topology */
    size_t hosts_n;
    struct trunk_hub *trunks;       /* NULL: there are no other machines */
    struct guest_refusal *refusals; /* hosts that may join, and have no place */
    struct control *control;
    struct gather *gathers;     /* requests that wait for hosts */
    struct process_call *calls; /* made by hand, not answered yet */
    struct tap_client *taps;
    struct tap_ask *tap_asks;
    struct upgrade_trial *trial; /* NULL: none is under way */
    int program_fd;              /* the program that has been tried, and is to be executed; -1: none */
    int dir_fd;                  /* the run directory, held */
    int clients_file;            /* of clients_path: its socket's inode; -1: none */
    uint32_t dir_life;           /* how often it was made again */
    bool is_dir_due;             /* it is to be looked at soon */
    bool is_dir_broken;          /* it could not be made again */
    uint64_t started_ms;
    struct hostling *stopping; /* the one that is to end now */
    bool has_been_ready;
    bool is_stopping;
    int exit_code;
};

/* --- process.c ------------------------------------------------------------------------ */

/* Orderly stop; the second call kills what is left. */
void process_stop(struct process *self, int exit_code);
/* Ends every host in order, then the loop. With PROCESS_UPGRADE they know that they will be started again. */
void process_end(struct process *self, int exit_code);
/* The operator wants a fresh process for this host. Ends its "gave up" state as well. */
void process_host_restart(struct hostling *host);

/* Ends this life in order; the policy decides when the next one starts. `why` is kept for whoever asks. */
void process_host_end(struct hostling *host, const char *why);
/* The same by SIGKILL. */
void process_host_kill(struct hostling *host, const char *why);

/* Can it be asked anything? */
bool process_host_is_there(const struct hostling *host);
/* A guest has come to be known, at that place of the topology. */
void process_host_add(struct process *self, const struct topology_host *host);

/* --- process_trunk.c ------------------------------------------------------------------ */

/* Lets hosts of other machines join, if the topology has some. */
int process_trunk_init(struct process *self);
/* See on_way of node_opts. */
const char *process_trunk_way(void *arg, const char *name);
/* It has not joined, and everybody may know. */
void process_trunk_wait(struct process *self, const struct topology_host *host);
/* The list keeps it out, or with "" no longer. Of a host that is not known nothing is said. */
void process_trunk_hold(struct process *self, const char *name, const char *why);
/* Why it is not here, for people. */
void process_trunk_why_not(const struct hostling *host, char *out, size_t cap);

/* --- process_guest.c ------------------------------------------------------------------ */

/* Guests come and go as the list of who may join says now. A fault, logged, when it cannot be read; then all stays as
 * it is. */
int process_guests_take(struct process *self);
/* The same when it has changed. Of `trunk_hub_opts`, as is the next. */
void process_guests_read(void *arg);
const char *process_guest_why_not(void *arg, const char *name);
void process_guests_deinit(struct process *self);
/* {"op": "guest", "name", "actors"}: would that be well? Changes nothing. */
void process_guest_on_request(struct process *self, const struct control_request *request);

/* --- process_memory.c ----------------------------------------------------------------- */

/* Watches hosts that have a cap. */
int process_memory_init(struct process *self);

/* --- process_pulse.c ------------------------------------------------------------------ */

int process_pulse_init(struct process *self);
void process_pulse_deinit(struct process *self);
/* A page of its own for every host; without one it is not watched. */
void process_pulse_open(struct hostling *host);
/* The kernel says that it stands still, or goes on. */
void process_pulse_stopped(struct hostling *host, int signal);
void process_pulse_continued(struct hostling *host);
/* This life is over. */
void process_pulse_forget(struct hostling *host);

/* --- process_dir.c -------------------------------------------------------------------- */

/* Holds the run directory and watches it. Its sockets are there. */
int process_dir_init(struct process *self);
void process_dir_deinit(struct process *self);
#define PROCESS_DIR_RETRY_MS 1000U /* while it cannot be made */
/* Puts back what is gone. False when it cannot. */
bool process_dir_check(struct process *self);
/* A host has come, and may have started before the directory was made again. */
void process_dir_on_hello(struct process *self, struct hostling *host);

/* --- process_sockets.c ---------------------------------------------------------------- */

/* A channel for the life that is about to start; its process is given `ret_fd`. */
int process_sockets_open(struct hostling *host, int *ret_fd);
void process_sockets_close(struct hostling *host);
/* bus.listen. */
int process_sockets_on_listen(void *arg, const char *host, uint16_t port, bool is_taken, char *why, size_t why_size);

/* --- process_exec.c ------------------------------------------------------------------- */

/* Starts the program that is this host. 0 or a fault, of which the log has the reason. */
int process_exec_start(struct hostling *host, int ready_fd);

/* --- process_ops.c -------------------------------------------------------------------- */

/* Whoever waits for an answer: a client of the control socket or, with a token, an actor. Zeroed: nobody. */
struct process_asker {
    uint64_t ticket;
    struct actor_token token;
};

void process_on_request(void *arg, const struct control_request *request);
void process_answer(struct process *self, struct process_asker asker, struct span result);
/* Answers with an empty object. */
void process_accept(struct process *self, struct process_asker asker);
/* `code` is FAIL_*. */
void process_refuse(struct process *self, struct process_asker asker, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* What every host says of its actors. */
void process_actors_ask(struct process *self, struct process_asker asker);
/* Forgets every request that still waits. */
void process_ops_deinit(struct process *self);

/* --- process_operate.c ---------------------------------------------------------------- */

/* bus.operate. */
int process_operate(void *arg, struct actor_ctx *ctx);

/* --- process_upgrade.c ---------------------------------------------------------------- */

/* {"op": "upgrade"}: answered once the new program has shown that it would start. */
void process_upgrade_on_request(struct process *self, const struct control_request *request);
/* Ends the trial, if one is under way, and tells who waits for it. */
void process_upgrade_cancel(struct process *self, const char *why);
void process_upgrade_deinit(struct process *self);

/* --- process_call.c ------------------------------------------------------------------- */

/* {"op": "call", "address", "method", "params", "timeoutMs", "window"}: one call, or cast, by hand. */
void process_call_on_request(struct process *self, const struct control_request *request);
void process_call_deinit(struct process *self);

/* --- process_tap.c -------------------------------------------------------------------- */

/* {"op": "tap", "endpoint", "filter", "bodies", "times", "sessions"}: attached until the connection closes. */
void process_tap_on_request(struct process *self, const struct control_request *request);
void process_tap_on_gone(void *arg, uint64_t client);
/* The same for an edge that watches for one of its clients, `who`: until it says so, or is gone. */
void process_tap_of_actor(struct process *self, struct process_asker asker, struct span owner, struct span who,
                          struct span body);
/* False when that actor has no such watcher. */
bool process_tap_end(struct process *self, struct span owner, struct span endpoint);
/* An actor may be gone, and with it those for whom it watched. */
void process_tap_on_entry(void *arg, const struct directory_entry *entry);
/* A host's process has come: it is told of every watcher. */
void process_tap_on_hello(struct process *self, const char *host);
void process_tap_deinit(struct process *self);

#endif
