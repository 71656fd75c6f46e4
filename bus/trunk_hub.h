/*
 * trunk_hub: the gateway's end of the trunks to all hosts on other machines: one address,
 * one session and one mailbox for each of them.
 */
#ifndef BUS_TRUNK_HUB_H
#define BUS_TRUNK_HUB_H

#include "bus/curve.h"
#include "bus/node.h"
#include "bus/topology.h"
#include "bus/trunk.h"

struct trunk_hub;

enum {
    TRUNK_HUB_E_ADDRESS = 1, /* it cannot listen there; logged */
};

/* One life of a host. */
struct trunk_hub_life {
    uint32_t incarnation;
    uint32_t wire;       /* the version that both speak */
    const char *release; /* of its program; empty when it does not say */
};

struct trunk_hub_opts {
    uv_loop_t *loop;
    const struct topology *topology; /* borrowed, as are all others */
    const char *run_dir;
    const char *keys_dir;
    const struct curve_pair *pair;
    struct trunk_range speaks;
    const char *release;
    struct node *node; /* of the supervising process */
    void *arg;
    /* A life of this host begins; it says hello next. */
    void (*on_up)(void *arg, const char *host, const struct trunk_hub_life *life);
    /* That life is over. */
    void (*on_down)(void *arg, const char *host, const char *why);
    /* Nothing is heard of it, or it is heard of again. */
    void (*on_silent)(void *arg, const char *host, bool is_silent);
    /* One of its actors does not respond, or does again. */
    void (*on_hangs)(void *arg, const char *host, const char *actor, bool is_on);
    /* One that is not here knocks, and is let no further; or, with "", does not knock any more. */
    void (*on_refused)(void *arg, const char *host, const char *why);
    /* The list of who may join has changed; guests may come and go now. */
    void (*on_list)(void *arg);
    /* Why that host, which the topology does not have, has no place here; "" when nobody gave it one. */
    const char *(*why_not)(void *arg, const char *host);
};

/* Listens. The caller destroys it in any case. */
int trunk_hub_new(const struct trunk_hub_opts *opts, struct trunk_hub **ret_self);
/* Closes; the memory goes when the loop has run the closes. */
void trunk_hub_destroy(struct trunk_hub **self_p);

/* This host of the topology is a guest that may join from now on; the memory stays. */
void trunk_hub_guest(struct trunk_hub *self, const struct topology_host *host);
/* Its life here, if there is one, is over: it may say hello again. `word` is for the host, `why` for all others. */
void trunk_hub_end(struct trunk_hub *self, const char *host, enum trunk_no code, const char *word, const char *why);

/* Where the actors of this machine bring what is for that host: "" while none of its lives is here. */
const char *trunk_hub_endpoint(const struct trunk_hub *self, const char *host);
/* The run directory was made again. */
void trunk_hub_bind_again(struct trunk_hub *self);

#endif
