/*
 * tap: a copy of every envelope for whoever watches, at the price of one relaxed load
 * when nobody does.
 *
 * A watcher binds a PULL socket and has the hosts connect to it, so it can only
 * receive. Each actor thread gathers records and sends them in batches; a batch that
 * the watcher cannot take at once is dropped and counted. So is what an actor sends
 * beyond TAP_RECORDS_PER_MS: nobody reads that fast, and being watched must stay cheap
 * for those who are busiest.
 *
 * A batch is one frame: a msgpack array whose first element is
 * {host, address, dropped} and whose others are records
 * [ts_us, header (bin), body_bytes, body (any) or nil, note (str) or nil].
 */
#ifndef BUS_TAP_H
#define BUS_TAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/pack.h"
#include "bus/schema_table.h"

#define TAP_WATCHERS_MAX 8
#define TAP_ENDPOINT_MAX 160
#define TAP_RECORDS_PER_MS 100U /* of one actor, in the long run */
#define TAP_GATHER_MS 2U        /* a batch may grow for so long, however often the actor has nothing to do */
#define TAP_RECORDS_BURST 2048U /* at once after a while of less */

enum {
    TAP_E_FULL = 1,    /* TAP_WATCHERS_MAX are attached */
    TAP_E_UNKNOWN = 2, /* no such watcher */
};

/* Process-wide list of watchers; thread-safe. */
int tap_attach(const char *endpoint, bool with_bodies);
int tap_detach(const char *endpoint);

extern _Atomic uint32_t tap_watched; /* generation while watched, 0 while not */

static inline bool tap_is_watched(void)
{
    return atomic_load_explicit(&tap_watched, memory_order_relaxed) != 0;
}

/* One per actor thread. */
struct tap_port {
    uint32_t generation; /* of the sockets below */
    struct tap_socket {
        void *zsock;
        bool with_bodies;
    } sockets[TAP_WATCHERS_MAX];
    unsigned sockets_n;
    bool with_bodies;
    bool is_open; /* a batch has been begun */
    struct pack batch;
    uint64_t dropped;  /* records */
    uint32_t records;  /* in the batch */
    uint32_t budget;   /* records that may still be shown */
    int64_t budget_us; /* when it was last filled */
    int64_t turn_us;   /* the time of every record of this turn of the loop; 0: not read yet */
};

void tap_port_init(struct tap_port *self);
void tap_port_deinit(struct tap_port *self);
/* A turn of the loop begins: what is recorded in it happens now. Everything that is handled
 * in the turn must have arrived before this, so that no answer seems older than its call. */
static inline void tap_port_turn(struct tap_port *self)
{
    self->turn_us = 0;
}
/* Is the next record wanted? Counts it as dropped when it is too much. */
bool tap_port_admits(struct tap_port *self);
/* Adds one record that was admitted. `msg` describes this body and what to redact in it; NULL shows no
 * body, one without a type (free-form) shows it unchanged. */
void tap_port_record(struct tap_port *self, const char *host, const char *address, struct span header, struct span body,
                     const struct schema_msg *msg, const char *note);
/* Sends what has been gathered. */
void tap_port_flush(struct tap_port *self);

#endif
