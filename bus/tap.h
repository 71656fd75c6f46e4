/*
 * tap: a copy of every envelope for whoever watches, at the price of one relaxed load
 * when nobody does.
 *
 * A watcher binds a PULL socket and has the hosts connect to it, so it can only
 * receive. Each actor judges what it sends by the watcher's filter, gathers the records of
 * what may fit and sends them in batches; a batch that the watcher cannot take at once is
 * dropped and counted. So is what an actor would show beyond TAP_RECORDS_PER_MS: nobody
 * reads that fast, and being watched must stay cheap for those who are busiest.
 *
 * A batch is one frame: a msgpack array whose first element is
 * {host, address, dropped} and whose others are records
 * [ts_us, header (bin), body_bytes, body (any) or nil, note (str) or nil, session (str) or nil,
 * [waited_us, busy_us] or nil]. The last is there when a watcher wants to know how long things
 * take: then whoever has handled an envelope shows it once more, with the time at which its
 * handler began, and every record bears a time of its own.
 * A filter that asks for latency makes calls pass whose answers may fit: the time between
 * the two is known to the watcher alone, which judges again.
 */
#ifndef BUS_TAP_H
#define BUS_TAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/envelope.h"
#include "bus/schema_table.h"
#include "bus/tap_filter.h"

#define TAP_WATCHERS_MAX 8
#define TAP_ENDPOINT_MAX 160
#define TAP_RECORDS_PER_MS 100U /* of one actor, in the long run, for one watcher */
#define TAP_GATHER_MS 2U        /* a batch may grow for so long, however often the actor has nothing to do */
#define TAP_RECORDS_BURST 2048U /* at once after a while of less */

enum {
    TAP_E_FULL = 1,    /* TAP_WATCHERS_MAX are attached */
    TAP_E_UNKNOWN = 2, /* no such watcher */
    TAP_E_FILTER = 3,  /* the filter, or the endpoint, is none */
};

/* What a watcher wants. */
struct tap_wish {
    struct span endpoint;
    struct span filter; /* see tap_filter.h; empty: everything */
    bool with_bodies;
    bool with_times;    /* show as well what has been handled */
    bool with_sessions; /* say the session of each, which is in its body; without, only when the filter asks for it */
};

/* Process-wide list of watchers; thread-safe. */
int tap_attach(const struct tap_wish *wish);
int tap_detach(struct span endpoint);

extern _Atomic uint32_t tap_watched; /* generation while watched, 0 while not */

static inline bool tap_is_watched(void)
{
    return atomic_load_explicit(&tap_watched, memory_order_relaxed) != 0;
}

struct tap_socket;

/* One per actor thread. Texts are borrowed for its life. */
struct tap_port {
    const char *host;
    const char *address;
    const struct schema_registry *registry;
    uint32_t generation; /* of the sockets below */
    struct tap_socket *sockets[TAP_WATCHERS_MAX];
    unsigned sockets_n;
    bool is_open;    /* a batch has been begun */
    bool with_times; /* somebody wants them */
    int64_t turn_us; /* the time of every record of this turn of the loop; 0: not read yet */
};

void tap_port_init(struct tap_port *self, const char *host, const char *address,
                   const struct schema_registry *registry);
void tap_port_deinit(struct tap_port *self);
/* A turn of the loop begins: what is recorded in it happens now. Everything that is handled
 * in the turn must have arrived before this, so that no answer seems older than its call. */
static inline void tap_port_turn(struct tap_port *self)
{
    self->turn_us = 0;
    if (self->sockets_n && !tap_is_watched()) {
        tap_port_deinit(self);
    }
}

/* One envelope as it is sent, or as it could not be. */
struct tap_sight {
    const struct envelope *env;
    struct span header; /* `env`, packed */
    struct span body;   /* empty: it is not at hand */
    uint64_t body_bytes;
    const char *note; /* why it was not delivered, or NULL */
    bool is_handled;  /* not sent but handled, which is over now */
    uint64_t waited_ns;
    uint64_t busy_ns;
};

/* Does anybody want to know of what is handled? */
bool tap_port_wants_times(struct tap_port *self);

/* Shows it to every watcher that may want it. True when a batch now waits for a flush. */
bool tap_port_see(struct tap_port *self, const struct tap_sight *sight);
/* Sends what has been gathered. */
void tap_port_flush(struct tap_port *self);

#endif
