/*
 * trunk_leaf: the end of a trunk in a host on another machine than the gateway's. The host
 * joins before its actors start, and they find everybody else behind one mailbox.
 */
#ifndef BUS_TRUNK_LEAF_H
#define BUS_TRUNK_LEAF_H

#include <uv.h>

#include "bus/curve.h"
#include "bus/node.h"
#include "bus/pulse.h"
#include "bus/topology.h"
#include "bus/trunk.h"

#define TRUNK_LEAF_ENDPOINT "inproc://trunk"

struct trunk_leaf;

struct trunk_leaf_opts {
    const char *host;
    const struct topology_tcp *tcp; /* borrowed, as are the others */
    const struct curve_pair *pair;
    struct trunk_range speaks;
    const char *release;
    const char *actors; /* see trunk_hello; for trunk_leaf_join alone; too long a text is not said */
};

/* Waits, for ever if need be, until the gateway lets this host in. */
int trunk_leaf_join(const struct trunk_leaf_opts *opts, struct trunk_leaf **ret_self);
/* Of this process, as the gateway counts. */
uint32_t trunk_leaf_incarnation(const struct trunk_leaf *self);

/* Opens the mailbox, before there is a node that says hello. */
int trunk_leaf_open(struct trunk_leaf *self, uv_loop_t *loop);
/* Goes on once there is one. `pulses`, or NULL, say who hangs here. `on_over`: the gateway does not know this life any
 * more; it is to end, and the next one to begin. */
void trunk_leaf_serve(struct trunk_leaf *self, struct node *node, struct pulse_page *pulses,
                      void (*on_over)(void *arg, const char *why), void *arg);
/* See on_tap of node_opts. */
int trunk_leaf_tap(struct trunk_leaf *self, struct span endpoint, bool is_on, char ret_local[TAP_ENDPOINT_MAX]);
/* Says goodbye and closes; the memory goes when the loop has run the closes. */
void trunk_leaf_destroy(struct trunk_leaf **self_p);

#endif
