/*
 * node_internal: a node as its parts see it. node.c opens it and holds its routes,
 * node_directory.c knows who is where, node_tell.c says so, node_settle.c knows when all
 * have heard, node_links.c who talks to whom, node_spawn.c places actors, node_host.c deals
 * with whole hosts, node_listen.c with listening sockets, node_blame.c with peers that break
 * the rules. Only they include this.
 */
#ifndef BUS_NODE_INTERNAL_H
#define BUS_NODE_INTERNAL_H

#include "bus/node.h"

struct listen_ask;
struct links_ask;
struct settle;
struct spawn_record;

struct node {
    struct actor actor; /* first: its opts callbacks find the node by it */
    struct actor_stats stats;
    struct node_opts opts;
    struct directory directory;
    struct spawn_record *spawns;
    struct settle *settles;
    struct listen_ask *listen_asks;
    struct links_ask *links_asks;
    char address[ACTOR_ADDRESS_MAX];
    char local[LINK_ENDPOINT_MAX];
    char remote[LINK_ENDPOINT_MAX];
};

static inline struct node *node_of(struct actor *actor)
{
    return CONTAINER_OF(actor, struct node, actor);
}

static inline bool node_is_supervisor(const struct node *self)
{
    return !self->opts.host;
}

/* A text of the body; empty when it has none, or one that is not below the limit. */
struct span node_text_in(struct actor_ctx *ctx, const char *key, size_t limit);

/* Where this process reaches the supervisor, and where the supervisor reaches the node of a host. */
void node_supervisor_endpoint(const struct node *self, char *out, size_t cap);
void node_host_endpoint(const struct node *self, const char *host, char *out, size_t cap);

/* --- node_tell.c ------------------------------------------------------------------------ */

void node_tell_cast(struct node *self, const char *to, const struct schema_msg *msg, struct pack *pack);
/* Where actors of this process reach it. */
const char *node_tell_endpoint(const struct directory_entry *entry);
void node_tell_entry(struct node *self, const char *who, const struct directory_entry *entry);
/* Everyone in this process who asked about it, this node's own link included. */
void node_tell_entry_spread(struct node *self, const struct directory_entry *entry);
void node_tell_subscribers(struct node *self, const char *who, const char *topic);
void node_tell_subscribers_spread(struct node *self, const char *topic);
/* The other nodes. */
void node_tell_entry_sync(struct node *self, const struct directory_entry *entry);
void node_tell_topic_sync(struct node *self, const char *name, const char *address, const char *host, bool is_on);
/* Everything of the other hosts, for one that has just come. */
void node_tell_snapshot(struct node *self, const char *host);

/* --- node_directory.c -------------------------------------------------------------------- */

int node_directory_on_resolve(void *arg, struct actor_ctx *ctx, const void *msg);
int node_directory_on_watch(void *arg, struct actor_ctx *ctx, const void *msg);
int node_directory_on_topic(void *arg, struct actor_ctx *ctx, const void *msg);
int node_directory_on_subscribe(void *arg, struct actor_ctx *ctx, const void *msg);
int node_directory_on_unsubscribe(void *arg, struct actor_ctx *ctx, const void *msg);
int node_directory_on_sync(void *arg, struct actor_ctx *ctx, const void *msg);
/* Everything on `host` is down, in this node's view. */
void node_directory_host_down(struct node *self, const char *host, enum actor_life life, uint32_t retry_after_ms,
                              struct span why);
/* A node looks into its own directory; other nodes have endpoints that need no asking. */
void node_directory_resolve(struct actor *actor, struct link *link);
bool node_directory_subscribers(struct actor *actor, const char *topic);

/* --- node_settle.c ------------------------------------------------------------------------- */

int node_settle_on_settle(void *arg, struct actor_ctx *ctx, const void *msg);
void node_settle_deinit(struct node *self);

/* --- node_links.c -------------------------------------------------------------------------- */

int node_links_on_links(void *arg, struct actor_ctx *ctx, const void *msg);
void node_links_deinit(struct node *self);

/* --- node_spawn.c -------------------------------------------------------------------------- */

int node_spawn_on_spawn(void *arg, struct actor_ctx *ctx, const void *msg);
int node_spawn_on_despawn(void *arg, struct actor_ctx *ctx, const void *msg);
int node_spawn_on_restart(void *arg, struct actor_ctx *ctx, const void *msg);
/* Supervisor: a host has come back; it is told again what it is to run. */
void node_spawn_repeat(struct node *self, const char *host);
void node_spawn_deinit(struct node *self);

/* --- node_listen.c ------------------------------------------------------------------------- */

int node_listen_on_listen(void *arg, struct actor_ctx *ctx, const void *msg);
void node_listen_deinit(struct node *self);

/* --- node_blame.c -------------------------------------------------------------------------- */

int node_blame_on_blame(void *arg, struct actor_ctx *ctx, const void *msg);

/* --- node_host.c --------------------------------------------------------------------------- */

int node_host_on_hello(void *arg, struct actor_ctx *ctx, const void *msg);
int node_host_on_down(void *arg, struct actor_ctx *ctx, const void *msg);
int node_host_on_silent(void *arg, struct actor_ctx *ctx, const void *msg);
int node_host_on_stop(void *arg, struct actor_ctx *ctx, const void *msg);
int node_host_on_rebind(void *arg, struct actor_ctx *ctx, const void *msg);
/* Supervisor: an actor that has its place on that host. If it is known that the host is not there, so is why. */
void node_host_expect(struct node *self, const char *address, const char *host);
/* Supervisor: it is not to run any more, and there may be nobody to say so. */
void node_host_unexpect(struct node *self, const char *address);
/* Tells the supervisor that this host has come. */
void node_host_hello(struct node *self);

#endif
