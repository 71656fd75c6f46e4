/*
 * envelope: the header frame of a message.
 *
 * On the wire an envelope is two ZeroMQ frames. The first is a msgpack array of the
 * fields below, in this order; the second is the body. Routing, accounting and the tap
 * read the header alone.
 */
#ifndef BUS_ENVELOPE_H
#define BUS_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/actor.h"

#define ENVELOPE_VERSION 1
#define ENVELOPE_FIELDS 14
#define ENVELOPE_NAME_MAX 96
/* Greatest header: 14 heads of at most 9 bytes, three addresses, name, principal, trace. */
#define ENVELOPE_HEADER_MAX (ENVELOPE_FIELDS * 9 + 3 * ACTOR_ADDRESS_MAX + ENVELOPE_NAME_MAX + ACTOR_PRINCIPAL_MAX + 16)

enum envelope_kind {
    ENVELOPE_CALL = 1,
    ENVELOPE_REPLY = 2,
    ENVELOPE_FAIL = 3, /* body: {code, message, retryable, retryAfterMs, details} */
    ENVELOPE_CAST = 4,
    ENVELOPE_PUBLISH = 5,
    ENVELOPE_CHUNK = 6,     /* one element of a streamed answer */
    ENVELOPE_GRANT = 7,     /* body: u32 bytes of stream credit */
    ENVELOPE_CANCEL = 8,    /* the asker gave up on `corr` */
    ENVELOPE_FORWARDED = 9, /* body: {to, incarnation}; who will answer `corr` now */
    ENVELOPE_CREDIT = 10,   /* body: [bytes, messages] of link credit */
    ENVELOPE_KIND_MAX = ENVELOPE_CREDIT,
};

#define ENVELOPE_LASTING 1U /* in the flags of a cast */

struct envelope {
    enum envelope_kind kind;
    uint64_t id;      /* of this message, counted by its sender */
    uint64_t corr;    /* the asker's number of the call this belongs to; 0 none */
    struct span from; /* who gets the answer */
    struct span to;
    struct span name; /* method, message or topic */
    uint32_t left_ms; /* until the asker gives up; relative, so clocks need not agree */
    struct trace_id trace;
    uint32_t flags; /* CALL: stream window in bytes; CAST: ENVELOPE_LASTING or 0; others: 0 */
    struct span principal;
    uint32_t incarnation; /* of the physical sender: voids what an earlier life sent */
    struct span via;      /* physical sender when it is not `from` (a forward); else empty */
    uint32_t asker;       /* incarnation of `from` in a forward, where the one above is the forwarder's; else 0 */
};

/* Writes the header to `out` (ENVELOPE_HEADER_MAX bytes) and returns its length. Fields
 * are within their limits, or the text is cut by an assert: they are our own. */
size_t envelope_encode(const struct envelope *self, uint8_t *out);

/* Reads a header that may come from anyone; spans borrow from `bytes`. False when it is
 * malformed, of another version, or breaks a limit. */
bool envelope_decode(struct span bytes, struct envelope *ret_self);

/* A cast that waits for a receiver that is overloaded, as an event does. */
static inline bool envelope_is_lasting(const struct envelope *self)
{
    return self->kind == ENVELOPE_CAST && (self->flags & ENVELOPE_LASTING);
}

const char *envelope_kind_name(enum envelope_kind kind);
/* Which life of `from` speaks; 0 when it is not known. */
static inline uint32_t envelope_asker(const struct envelope *self)
{
    return self->via.len ? self->asker : self->incarnation;
}
/* Who pays for it: `via` when set, else `from`. */
static inline struct span envelope_sender(const struct envelope *self)
{
    return self->via.len ? self->via : self->from;
}

#endif
