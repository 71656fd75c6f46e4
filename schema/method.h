/*
 * method: what schema/methods says about one method beyond its fields; hangs on
 * schema_msg.extra of the message.
 */
#ifndef SCHEMA_METHOD_H
#define SCHEMA_METHOD_H

#include "bus/schema_table.h"

enum schema_idempotency {
    SCHEMA_IDEMPOTENCY_NONE,
    SCHEMA_IDEMPOTENCY_OPTIONAL,
    SCHEMA_IDEMPOTENCY_REQUIRED,
};

enum {
    SCHEMA_METHOD_ADVERTISED = 1U << 0,   /* listed in hello-ok */
    SCHEMA_METHOD_RATE_LIMITED = 1U << 1, /* counts as a write of the control plane */
    SCHEMA_METHOD_LATE = 1U << 2,         /* unavailable until the gateway has started */
    SCHEMA_METHOD_HANDSHAKE = 1U << 3,    /* valid only as the first request */
    SCHEMA_METHOD_WRITES = 1U << 4,       /* writes what the user owns: not without end */
};

struct schema_method {
    const char *owner; /* address of the actor that answers */
    const char *scope; /* that the asker needs; NULL: any authenticated connection, of any role */
    enum schema_idempotency idempotency;
    unsigned flags;
    uint8_t since; /* first protocol that has it */
    uint8_t until; /* last one */
};

/* NULL when `msg` is NULL or no method (events and messages between actors are none). */
static inline const struct schema_method *schema_method_of(const struct schema_msg *msg)
{
    return msg && msg->kind == SCHEMA_MSG_CALL ? (const struct schema_method *)msg->extra : NULL;
}

#endif
