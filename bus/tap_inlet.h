/*
 * tap_inlet: what a watcher inside an actor receives. A socket in the run directory, to which every
 * process of the gateway shows what may fit (bus/tap.h), on the actor's loop.
 *
 * It is always read, so that nobody who shows things waits. What its owner cannot take for
 * now is held, up to INLET_BYTES_MAX; beyond that the oldest records are lost and counted.
 * Whoever opens one has the supervisor attach it, by bus.operate with the request of
 * tap_inlet_request.
 */
#ifndef BUS_TAP_INLET_H
#define BUS_TAP_INLET_H

#include "bus/actor.h"
#include "bus/pack.h"
#include "bus/tap_record.h"

#define TAP_INLET_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define TAP_INLET_RECORDS_PER_MS 20U /* given to the owner, in the long run */

struct tap_inlet;

enum {
    TAP_INLET_E_FILTER = 1, /* `ret_error` says where */
    TAP_INLET_E_ALONE = 2,  /* no other process can reach this one, or it has no descriptors left */
};

struct tap_inlet_opts {
    struct actor *actor;
    struct span filter; /* empty: everything */
    bool with_bodies;
    bool with_times;
    bool with_sessions;
    void *arg;
    /* Can a record be taken now? */
    bool (*has_room)(void *arg);
    /* One that fits, borrowed; in the order of time. */
    void (*on_record)(void *arg, const struct tap_record *record);
    /* No more come for now, or something was lost. */
    void (*on_rest)(void *arg);
};

/* 0, an outcome or a fault. */
int tap_inlet_open(const struct tap_inlet_opts *opts, struct tap_inlet **ret_self, struct tap_filter_error *ret_error);
/* Closes at once; the memory goes when the loop has run the closes. NULL is none. */
void tap_inlet_close(struct tap_inlet **self_p);
/* The body of bus.operate that attaches it, or with `is_on` false detaches it. */
void tap_inlet_request(const struct tap_inlet *self, bool is_on, const char *who, struct pack *out);
/* Gives what is held, however new it is. */
void tap_inlet_rest(struct tap_inlet *self);
/* The record in hand could not be used after all. */
void tap_inlet_lose(struct tap_inlet *self);
/* Records that were shown and not given, as far as that is known. */
uint64_t tap_inlet_lost(const struct tap_inlet *self);

#endif
