/*
 * trunk_tap: watchers at the gateway of what happens in a host on another machine. The actors
 * show their batches (bus/tap.h) to a mailbox of this process, one for each watcher; from
 * there they go by the trunk, as long as that is quick enough, and else are dropped and
 * counted.
 */
#ifndef BUS_TRUNK_TAP_H
#define BUS_TRUNK_TAP_H

#include <uv.h>

#include "bus/base/span.h"
#include "bus/tap.h"

struct trunk_taps;

struct trunk_taps_opts {
    uv_loop_t *loop;
    const char *host; /* borrowed */
    /* Sends one batch; false when there is no connection. */
    bool (*send)(void *arg, struct span endpoint, struct span batch);
    void *arg;
};

struct trunk_taps *trunk_taps_new(const struct trunk_taps_opts *opts);
/* Closes; the memory goes when the loop has run the closes. */
void trunk_taps_destroy(struct trunk_taps **self_p);
/* Where actors show what is for the watcher at `endpoint`. 0, TAP_E_FULL or a fault. */
int trunk_taps_open(struct trunk_taps *self, struct span endpoint, char ret_local[TAP_ENDPOINT_MAX]);
/* Nobody watches there any more. False when nobody did. */
bool trunk_taps_close(struct trunk_taps *self, struct span endpoint, char ret_local[TAP_ENDPOINT_MAX]);
/* Some time has passed: more may be sent. */
void trunk_taps_look(struct trunk_taps *self);

#endif
