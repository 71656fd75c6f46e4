/*
 * topology_internal: the walk over a topology as its parts see it: topology.c reads hosts,
 * topology_exec.c those that are other programs, topology_tcp.c the way between machines, topology_where.c says where
 * something is wrong. Only they include this.
 */
#ifndef BUS_TOPOLOGY_INTERNAL_H
#define BUS_TOPOLOGY_INTERNAL_H

#include "bus/topology.h"

/*
 * The walk over the packed text. Packing forgets where things stood, but keeps their
 * order, so the place of an error is the n-th key or scalar of the text again.
 */
struct walk {
    struct span text;
    struct topology *topology;
    struct topology_error *error;
    size_t tokens_n; /* keys and scalars met so far; the newest is the one an error is about */
};

/* Says what is wrong with the newest key or scalar; returns TOPOLOGY_E_REFUSED. */
int topology_refuse(struct walk *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same of a key that `what` does not have; names the nearest of the NULL-ended list, or all. */
int topology_refuse_key(struct walk *self, struct span key, const char *what, const char *const *known);

/* The keys "exec" and "env" of a host, and what they mean with its others. */
int topology_exec_read(struct walk *self, struct topology_host *host, struct span list);
int topology_env_read(struct walk *self, struct topology_host *host, struct span list);
int topology_exec_check(struct walk *self, const struct topology_host *host);
void topology_exec_deinit(struct topology_host *host);

/* {endpoint, curve, listen}. */
int topology_tcp_read(struct walk *self, struct span map);

#endif
