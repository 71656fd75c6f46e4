/*
 * link_internal: a link as its parts see it: link.c keeps the socket and sends,
 * link_park.c keeps what waits. Only they include this.
 */
#ifndef BUS_LINK_INTERNAL_H
#define BUS_LINK_INTERNAL_H

#include "bus/actor_internal.h"

static inline bool link_is_credited(enum envelope_kind kind)
{
    return kind == ENVELOPE_CALL || kind == ENVELOPE_CAST || kind == ENVELOPE_PUBLISH;
}

static inline bool link_has_credit(const struct link *link)
{
    return link->credit_bytes > 0 && link->credit_msgs > 0;
}

static inline bool link_has_room(const struct link *link)
{
    return link->park.msgs < LINK_PARKED_MSGS && link->park.bytes < LINK_PARKED_BYTES;
}

/* --- link.c ------------------------------------------------------------------------------- */

/* Asks the node where the peer is, once. */
void link_resolve(struct actor *self, struct link *link);
/* NULL when it may go or wait, else why not. */
const char *link_obstacle(const struct link *link, const struct envelope *env);
bool link_is_to_wait(const struct link *link, const struct envelope *env);
/* A message that has nowhere to go: whoever waits for it is told. */
void link_undeliverable(struct actor *self, const struct link *link, const struct envelope *env, size_t body_bytes,
                        const char *reason);
void link_envelope_complete(struct actor *self, const struct link *link, struct envelope *env);
/* The header of a complete envelope, seen by whoever watches. Takes the body when it fails. */
int link_header_make(struct actor *self, const struct envelope *env, zmq_msg_t *body, zmq_msg_t *ret_header);
/* Takes both frames. */
void link_transmit(struct actor *self, struct link *link, zmq_msg_t *header, zmq_msg_t *body);

/* --- link_park.c ---------------------------------------------------------------------------- */

/* What waited goes out as far as there is credit, or is dealt with as undeliverable. */
void link_park_release(struct actor *self, struct link *link);

#endif
