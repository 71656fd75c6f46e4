/*
 * node: the bus's own actor of one process: `host/<name>` in a host, `supervisor` in the
 * supervising process. It keeps the directory, answers who is where, and syncs with the
 * other nodes. It runs on the loop of the thread that opens it.
 *
 * Hosts talk to the supervisor only; it relays what one host says to all others.
 */
#ifndef BUS_NODE_H
#define BUS_NODE_H

#include "bus/actor_internal.h"
#include "bus/directory.h"
#include "bus/topology.h"

#define NODE_SUPERVISOR "supervisor"

struct node;

struct node_opts {
    uv_loop_t *loop;
    const char *host; /* name of this host; NULL for the supervisor */
    uint32_t incarnation;
    const char *run_dir;             /* NULL: this process is alone */
    const struct topology *topology; /* borrowed */
    const struct schema_registry *registry;
    bool has_supervisor;
    const char *trunk;   /* the mailbox that leads to all other hosts, of one on another machine; NULL: this is none */
    struct pulse *pulse; /* its own; NULL: nobody watches */
    void *arg;           /* of the callbacks below; each may be NULL */
    /* On another machine: a watcher comes or goes; `ret_local` is where it is shown things here. 0 or what tap_attach
     * says. */
    int (*on_tap)(void *arg, struct span endpoint, bool is_on, char ret_local[TAP_ENDPOINT_MAX]);
    /* Run (stop, restart) an actor in this process. Returns false when refused. */
    bool (*on_spawn)(void *arg, const char *address, const char *def, const char *spawn_arg);
    void (*on_despawn)(void *arg, const char *address);
    bool (*on_restart)(void *arg, const char *address);
    /* A local actor says how it is. `life` or `status` is empty when unchanged. */
    void (*on_state)(void *arg, struct span address, struct span life, struct span status);
    void (*on_exit)(void *arg, struct span address, int fault, struct span place);
    /* Adds this process's rows to an open msgpack array; see docs/architecture.md. */
    void (*on_actors)(void *arg, struct pack *pack);
    void (*on_stop)(void *arg);
    /* Supervisor: a host has said hello; its entries follow. */
    void (*on_hello)(void *arg, const char *host, int64_t pid, uint32_t incarnation);
    /* Supervisor: an entry of some host changed. */
    void (*on_entry)(void *arg, const struct directory_entry *entry);
    /* Supervisor: which host this process is; NULL when none. */
    const char *(*host_of)(void *arg, int64_t pid);
    /* Supervisor: the mailbox that leads to a host on another machine, "" while it is not there; NULL for one of this
     * machine. */
    const char *(*on_way)(void *arg, const char *host);
    /* Supervisor: bus.listen; see `listen` of process_sockets. */
    int (*on_listen)(void *arg, const char *host, uint16_t port, bool is_taken, char *why, size_t why_size);
    /* Supervisor: bus.operate. Answers as a handler does. */
    int (*on_operate)(void *arg, struct actor_ctx *ctx);
};

int node_new(const struct node_opts *opts, struct node **ret_node);
/* Starts closing; free the memory with node_free once the loop has run its closes. */
void node_close(struct node *self);
void node_free(struct node **node_p);

struct actor *node_actor(struct node *self);
const struct directory *node_directory(const struct node *self);
const char *node_address(const struct node *self);
/* Where this process reaches it. */
const char *node_local(const struct node *self);

/* This process's own word about one of its actors: stored, told to whoever waits, and
 * synced. An entry that is not up has no endpoints. */
void node_entry_set(struct node *self, const struct directory_entry *entry);
/* Forgets what a dead local actor wanted to know and was subscribed to. */
void node_actor_gone(struct node *self, struct span address);

/* Supervisor: a host's process has ended; everything on it is down at once, everywhere. `why` is for people. */
void node_host_down(struct node *self, const char *host, enum actor_life life, uint32_t retry_after_ms,
                    const char *why);
/* Supervisor: and that will not come again by itself, or not soon: why, for whoever asks how it is, or its actors. */
void node_host_lost(struct node *self, const char *host, enum actor_life life, const char *why);
/* Supervisor: more about a host that is not there, or news. Of its actors nothing is said by that. */
void node_host_absence(struct node *self, const char *host, const char *why);
/* Supervisor: that host is none any more: nobody knows of it, or of who was there. */
void node_host_forget(struct node *self, const char *host);
/* Supervisor: that host has lost places. Who was spawned there, and has its place elsewhere now, is spawned there. */
void node_places_changed(struct node *self, const char *host);

/* Supervisor: an actor that runs, or was spawned. */
struct node_placed {
    const char *address;
    const char *host; /* where */
};
/* The first that is_it() takes; false when none. Borrowed until the loop goes on. */
bool node_placed_find(const struct node *self, bool (*is_it)(void *arg, const struct node_placed *at), void *arg,
                      struct node_placed *ret_placed);
/* Supervisor: a word about a host that has come. */
void node_host_status(struct node *self, const char *host, const char *status);
/* Supervisor: an actor of that host, or with NULL everything on it, hangs, for people because of `why`, or with NULL
 * goes on. Calls to it end at once, everywhere. False when the directory has no such entry that is up. */
bool node_silence(struct node *self, const char *host, const char *address, const char *why);
/* Supervisor: who was blamed and has been quiet for a while is well again. */
void node_blame_forget(struct node *self, uint64_t now_ms);
/* On another machine: the way to all other hosts is cut, or there again. Calls to whoever is there end at once. */
void node_silence_others(struct node *self, bool is_silent);
/* Supervisor: ends all of that host in order. */
void node_host_stop(struct node *self, const char *host);
/* Supervisor: the run directory is another one: this node's own endpoint is made there. */
void node_rebind(struct node *self);
/* Supervisor: the same for a host and every actor in it. */
void node_host_rebind(struct node *self, const char *host);

/* The endpoint of a node: "ipc://<run>/host-<name>.sock", for a supervisor
 * "ipc://<run>/supervisor.sock". */
void node_endpoint(const char *run_dir, const char *host, char *out, size_t cap);

#endif
