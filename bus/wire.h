/*
 * wire: the bus's own messages, between actors and the node of their process, and
 * between nodes. They are raw msgpack maps, listed in docs/architecture.md.
 */
#ifndef BUS_WIRE_H
#define BUS_WIRE_H

#include "bus/schema_table.h"

/* actor → node */
extern const struct schema_msg wire_resolve;     /* {address} */
extern const struct schema_msg wire_topic;       /* {name}: I publish on it */
extern const struct schema_msg wire_subscribe;   /* {name} */
extern const struct schema_msg wire_unsubscribe; /* {name} */
extern const struct schema_msg wire_watch;       /* {pattern} */
extern const struct schema_msg wire_state;       /* {life, status} */
extern const struct schema_msg wire_exit;        /* {fault, place} */
extern const struct schema_msg wire_spawn;       /* {address, def, arg} */
extern const struct schema_msg wire_despawn;     /* {address} */
extern const struct schema_msg wire_restart;     /* {address} */
extern const struct schema_msg wire_blame; /* {address, pid, why, count}: it sends what it may not; node → supervisor */
/* node → actor */
extern const struct schema_msg wire_entry;       /* {address, endpoint, incarnation, life, retryAfterMs, status} */
extern const struct schema_msg wire_subscribers; /* {name, addresses} */
extern const struct schema_msg wire_stop;        /* {} */
/* actor → node → supervisor → node, calls: do all publishers know what `who` is subscribed to? */
extern const struct schema_msg wire_settle; /* {who} → {} */
/* node → actor, a call that every actor answers by itself: it has heard all before */
extern const struct schema_msg wire_settled; /* {who} → {} */
/* supervisor → node → actor */
extern const struct schema_msg wire_rebind; /* {}: the files of your endpoints may be gone; make them again */
/* node → node */
extern const struct schema_msg wire_hello;     /* {host, pid, incarnation} */
extern const struct schema_msg wire_sync;      /* {host, entries: [{…}], topics: [{name, address, on}]} */
extern const struct schema_msg wire_host_down; /* {host} */
/* supervisor → node: one of its own actors hangs, or goes on */
extern const struct schema_msg wire_silent; /* {address, silent} */
/* anyone → node, calls */
extern const struct schema_msg wire_actors; /* {} → {host, pid, rssBytes, cpuSeconds, actors: [{…}]} */
extern const struct schema_msg wire_tap;    /* {endpoint, filter, bodies, times, sessions, on} → {} */
/* actor → node → supervisor, a call: sockets that listen on `host` (numeric) and `port` are opened beside those that
 * count, if need be; with `take` they count from then on. Hosts get them by asking (bus/sockets.h). Port 0 in the
 * answer: this process has no supervisor that holds any. */
extern const struct schema_msg wire_listen; /* {host, port, take} → {host, port, isOther} */
/* edge → supervisor, a call: what an operator asks of the gateway through it, `who` is named in the log. `op` is
 * "actors" → {hosts, actors}, "tap" {endpoint, filter, bodies, times, sessions} → {}, or "untap" {endpoint} → {} */
extern const struct schema_msg wire_operate; /* {op, who, …} */
/* anyone → actor, a call that every actor answers by itself → {address, links: [{to, state, msgs, bytes, waiting}],
 * topics: [{name, to: […]}]}; a node answers for all of its process → {actors: [that]} */
extern const struct schema_msg wire_links; /* {} */
/* publisher → subscriber */
extern const struct schema_msg wire_gap; /* {topic, lost, dropped} */
/* topics */
extern const struct schema_msg wire_dead_letters; /* {reason, kind, from, to, name, bytes, trace} */

#endif
