/*
 * trunk: the way between two machines, as bytes. One connection carries what the actors of a
 * host on another machine and those of the gateway say to each other.
 *
 * A message is a head frame, and what its kind has behind it:
 *
 *   HELLO    body {least, most, host, session, seen, release}    host → gateway, first of all
 *   WELCOME  body {wire, incarnation, session, seen, release}    its answer: come in, or go on
 *   REFUSED  body {reason, final, code, least, most}             its answer: no, and why
 *   DATA     header, body (bus/envelope.h)             numbered, sent again until acknowledged
 *   BEAT                                               nothing to say, and still here
 *   TAP      endpoint, batch (bus/tap.h)               for a watcher at the gateway; may be lost
 *   BYE                                                this life of the host ends in order
 *   HANGS    body {actor, on}                          host → gateway: one of its actors does not respond, or does
 * again
 *
 * HELLO says which versions the host speaks, WELCOME the newest that both do, which then
 * holds for this connection. Version 1 is without `release` and HANGS. What REFUSED says beyond reason
 * and final is said to everyone, and passed over by who does not know it.
 *
 * The head is 18 bytes: kind, zero, number of this DATA (else 0), number of the last DATA that
 * was received. A session is one life of a host as the gateway sees it. It outlives any number
 * of connections: whoever has said more than was acknowledged says that again, in order, and
 * what came twice is left out. So a connection that breaks loses nothing and doubles nothing.
 */
#ifndef BUS_TRUNK_H
#define BUS_TRUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/actor.h"
#include "bus/pack.h"
#include "bus/topology.h"

#define TRUNK_WIRE 2U       /* the newest that this release speaks */
#define TRUNK_WIRE_LEAST 1U /* the oldest: that of the release before it */
#define TRUNK_WIRE_NAMED 2U /* from here on both sides say which release they are */
#define TRUNK_WIRE_HANGS 2U /* from here on a host says which of its actors hang */
#define TRUNK_HEAD_LEN 18
#define TRUNK_BODY_MAX ((size_t)4096) /* of HELLO, WELCOME, REFUSED */
#define TRUNK_REASON_MAX 192          /* of the wire: version 1 reads no longer one */
#define TRUNK_RELEASE_MAX 32
#define TRUNK_ACTORS_MAX 2560 /* of a HELLO */
#define TRUNK_BEAT_MS 500U
#define TRUNK_DEAD_MS 1500U /* nothing was heard for so long: calls end, until it is heard of again */
#define TRUNK_LOOK_MS 250U
/*
 * A connection has ended: so long the next one may take before calls end, as somebody on the way may only have
 * forgotten it. It takes five times the way there and back. The host learns sooner if nobody listens there; the
 * gateway, if it was the host's process that ended and the next one begins.
 */
#define TRUNK_HOST_GRACE_MS 500U
#define TRUNK_GATEWAY_GRACE_MS 400U

enum trunk_kind {
    TRUNK_HELLO = 1,
    TRUNK_WELCOME = 2,
    TRUNK_REFUSED = 3,
    TRUNK_DATA = 4,
    TRUNK_BEAT = 5,
    TRUNK_TAP = 6,
    TRUNK_BYE = 7,
    TRUNK_HANGS = 8,
    TRUNK_KIND_MAX = TRUNK_HANGS,
};

struct trunk_head {
    enum trunk_kind kind;
    uint64_t number; /* of DATA, from 1 */
    uint64_t seen;   /* the last DATA that its sender has received */
};

void trunk_head_encode(const struct trunk_head *self, uint8_t out[TRUNK_HEAD_LEN]);
/* Of bytes that may come from anyone. */
bool trunk_head_decode(struct span bytes, struct trunk_head *ret_head);

/* The versions that one side speaks. */
struct trunk_range {
    uint32_t least;
    uint32_t most;
};

/* All of this release. */
extern const struct trunk_range trunk_range_all;
/* As an operator writes it, "1" or "1-2"; false when this release does not speak all of that. */
bool trunk_range_read(const char *text, struct trunk_range *ret_range);

struct trunk_hello {
    struct trunk_range speaks;
    char host[32];
    uint64_t session; /* 0: it begins one */
    uint64_t seen;
    char release[TRUNK_RELEASE_MAX]; /* empty: it does not say */
    char actors[TRUNK_ACTORS_MAX];   /* which it is to run, as its own file says, with spaces between; empty likewise */
};

struct trunk_welcome {
    uint32_t wire;
    uint32_t incarnation; /* of the host's process, as the gateway counts them */
    uint64_t session;
    uint64_t seen;
    char release[TRUNK_RELEASE_MAX]; /* empty: it does not say */
};

/* Why a host is let no further. Numbers of the wire. */
enum trunk_no {
    TRUNK_NO_UNSAID = 0,     /* a gateway of version 1 says the reason alone */
    TRUNK_NO_VERSION = 1,    /* there is none that both speak */
    TRUNK_NO_DENIED = 2,     /* its key was denied */
    TRUNK_NO_FORGOTTEN = 3,  /* the gateway does not know this life of it */
    TRUNK_NO_TAKEN = 4,      /* another one of that name is connected */
    TRUNK_NO_HOST = 5,       /* the topology has no such host, or the key is for another */
    TRUNK_NO_BUSY = 6,       /* the gateway is short of something */
    TRUNK_NO_UNREADABLE = 7, /* what it said is no greeting */
    TRUNK_NO_ACTORS = 8,     /* it is not to run what it is about to, or not what it ran so far */
    TRUNK_NO_MAX = TRUNK_NO_ACTORS,
};

struct trunk_refused {
    char reason[TRUNK_REASON_MAX];
    bool is_final; /* this life of the host cannot go on; its next one may */
    enum trunk_no code;
    struct trunk_range speaks; /* the gateway; zeros: it does not say */
};

struct trunk_hangs {
    char actor[ACTOR_ADDRESS_MAX];
    bool is_on;
};

void trunk_hello_pack(const struct trunk_hello *self, struct pack *out);
void trunk_welcome_pack(const struct trunk_welcome *self, struct pack *out);
void trunk_refused_pack(const struct trunk_refused *self, struct pack *out);
void trunk_hangs_pack(const struct trunk_hangs *self, struct pack *out);
/* Of bytes that may come from anyone. */
bool trunk_hello_read(struct span body, struct trunk_hello *ret_hello);
bool trunk_welcome_read(struct span body, struct trunk_welcome *ret_welcome);
bool trunk_refused_read(struct span body, struct trunk_refused *ret_refused);
bool trunk_hangs_read(struct span body, struct trunk_hangs *ret_hangs);

/* The newest version that both speak; 0, and why not and what to do. */
uint32_t trunk_wire_choose(const struct trunk_range *gateway, const struct trunk_range *host,
                           char reason[TRUNK_REASON_MAX]);

#endif
