/*
 * event: what schema/events says about one event beyond its payload; hangs on
 * schema_msg.extra of the topic. Whether it may be dropped is the bus's business too, so
 * it stands in the flags of schema_msg: see schema_is_droppable().
 */
#ifndef SCHEMA_EVENT_H
#define SCHEMA_EVENT_H

#include "bus/schema_table.h"

enum schema_delivery {
    SCHEMA_DELIVERY_BROADCAST,   /* to every connection with the scope */
    SCHEMA_DELIVERY_SUBSCRIBERS, /* to connections that asked for it */
    SCHEMA_DELIVERY_TARGETED,    /* to the connections that the payload's `_connIds` names */
    SCHEMA_DELIVERY_CONNECTION,  /* made by the edge for one connection; no topic of the bus */
};

enum {
    SCHEMA_EVENT_ADVERTISED = 1U << 0,    /* listed in hello-ok */
    SCHEMA_EVENT_SEQ = 1U << 1,           /* counted in the connection's sequence, also when dropped */
    SCHEMA_EVENT_STATE_VERSION = 1U << 2, /* the frame carries stateVersion */
    SCHEMA_EVENT_NODES = 1U << 3,         /* role node may receive it in spite of its scope */
};

struct schema_event {
    const char *scope; /* that the receiver needs; NULL: any authenticated connection, of any role */
    enum schema_delivery delivery;
    unsigned flags;
    uint8_t since; /* first protocol that has it */
    uint8_t until; /* last one */
};

/* NULL when `msg` is NULL or no event. */
static inline const struct schema_event *schema_event_of(const struct schema_msg *msg)
{
    return msg && msg->kind == SCHEMA_MSG_TOPIC ? (const struct schema_event *)msg->extra : NULL;
}

#endif
