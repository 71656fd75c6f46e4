/*
 * topology: which host (process) runs which addresses, read from a JSON5 file.
 *
 *   { hosts: {
 *       main:   { actors: ["config", "log", "auth", "health", "router", "channel/webchat", "edge/0"] },
 *       agents: { actors: ["agent*"], strategy: "rest_for_one", memoryMb: 512,
 *               hangMs: 5000, link: "tcp" },
 *       lines:  { actors: ["channel/lines"], exec: ["/usr/lib/lines", "--name", "x"],
 *               env: ["LINES_TOKEN"] } },
 *     gateway: { endpoint: "tcp://10.0.0.1:18800", curve: "<public key>",
 *                listen: "tcp://0.0.0.0:18800" } }
 *
 * A host with `exec` is another program, which speaks the bus by itself (docs/bus-wire.md).
 * A host, or a key of one, that stands there twice is refused.
 *
 * Actors without a wildcard start with their host, side by side but for those that the
 * ones after them wait for (actor_def.is_awaited), and stop in reverse order; a pattern
 * ending in "*" places addresses spawned later (longest match wins). With more than one
 * host the links between them use ipc. A host with link "tcp" is started on another machine,
 * and joins at `gateway.endpoint`, whose key is `curve`; `listen` is where the gateway
 * listens when that is another address than the one by which it is reached.
 */
#ifndef BUS_TOPOLOGY_H
#define BUS_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define TOPOLOGY_HOSTS_MAX 64
#define TOPOLOGY_ACTORS_MAX 256
#define TOPOLOGY_PATTERN_MAX 128 /* of an address, with its end */
#define TOPOLOGY_GUEST_ACTORS_MAX 32
#define TOPOLOGY_HANG_MS 3000
#define TOPOLOGY_ENDPOINT_MAX 160
#define TOPOLOGY_KEY_LEN 40 /* of a CURVE key in Z85 */

struct topology_host {
    char name[32]; /* [a-z0-9-]+ */
    char **actors; /* patterns, in order */
    size_t actors_n;
    bool is_rest_for_one; /* who ends unasked takes those after it along; else it is started again alone */
    uint32_t memory_mb;   /* resident memory of the process beyond which it is started again; 0: by the machine's */
    uint32_t hang_ms;     /* so long at one piece of work, and the actor's process is killed; 0: never */
    char **exec;          /* another program is this host: its path and arguments, NULL-ended; NULL: this program */
    char **env;           /* variables that it may see, NULL-ended; NULL: none */
    bool is_remote;       /* it is started on another machine, and joins over tcp */
    bool is_guest;        /* and no file names it: see topology_guest_set */
};

/* The way between machines; empty texts when there is none. */
struct topology_tcp {
    char endpoint[TOPOLOGY_ENDPOINT_MAX];
    char listen[TOPOLOGY_ENDPOINT_MAX];
    char curve[TOPOLOGY_KEY_LEN + 1]; /* the gateway's public key, in Z85 */
};

struct topology {
    struct topology_host *hosts; /* TOPOLOGY_HOSTS_MAX; none moves. Without a name: a place that a guest has left */
    size_t hosts_n;
    struct topology_tcp tcp;
};

struct topology_error {
    char text[256]; /* what is wrong, where (line and column), what to do */
};

enum {
    TOPOLOGY_E_REFUSED = 1,
};

/* Says what is wrong; returns TOPOLOGY_E_REFUSED. */
int topology_say(struct topology_error *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Parses JSON5 text; on 0 the result is owned by the caller. */
int topology_parse(struct span text, struct topology *ret_topology, struct topology_error *error);
void topology_deinit(struct topology *self);
/* The host that runs `address`: exact entry, else longest pattern; NULL when none. */
const struct topology_host *topology_place(const struct topology *self, const char *address);
/* How well `pattern` fits: 0 not at all; more is better, an exact entry best. */
size_t topology_fits(const char *pattern, const char *address);
const struct topology_host *topology_host_find(const struct topology *self, const char *name);

/* --- topology_guest.c: hosts of other machines that come and go without being in the file --- */

/* What such a host is to run. */
struct topology_guest {
    const char *name;
    char (*actors)[TOPOLOGY_PATTERN_MAX]; /* patterns */
    size_t actors_n;                      /* 0: it is none any more */
};

/* Is this an address, or one with "*" at its end? */
bool topology_is_pattern(struct span pattern);
/* May it be placed on a guest at all? Says why not, and what to do. */
int topology_guest_pattern(const char *pattern, struct topology_error *error);
/* Would topology_guest_set be well? Names what it collides with; a guest of that name is replaced. */
int topology_guest_check(const struct topology *self, const struct topology_guest *guest, struct topology_error *error);
/* Would that address move to the guest from another host? */
bool topology_guest_takes(const struct topology *self, const struct topology_guest *guest, const char *address);
/* Adds the guest, replaces what it may run, or with no actors takes it out. It was checked. */
struct topology_host *topology_guest_set(struct topology *self, const struct topology_guest *guest);
/* Does the topology place all that fits `pattern` on that host? */
bool topology_covers(const struct topology *self, const struct topology_host *host, const char *pattern);

#endif
