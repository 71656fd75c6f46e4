/*
 * budget: what may wait for all clients together and for those of one principal, and what all
 * together and those of one address may have begun to send. Past it the ones that most waits
 * for, or that keep most waiting, are ended first, with the reason.
 */
#ifndef EDGE_LISTENER_BUDGET_H
#define EDGE_LISTENER_BUDGET_H

#include "edge/listener/edge.h"

/* Makes room when too much waits. Ends connections, frees none. */
void budget_relieve(struct edge *edge, struct quota *quota);

static inline size_t budget_used(const struct edge *edge)
{
    return edge->queued_bytes + edge->shared_bytes;
}

/* To be called whenever something large may have been queued, not while a frame is open. */
static inline void budget_check(struct edge *edge)
{
    if (budget_used(edge) > LIMIT_QUEUED_ALL) {
        budget_relieve(edge, NULL);
    }
}

/* The same after something was queued for one connection. */
static inline void budget_check_of(struct conn *conn)
{
    if (conn->quota && conn->quota->bytes > LIMIT_QUEUED_ONE) {
        budget_relieve(conn->edge, conn->quota);
    }
    budget_check(conn->edge);
}

/* Adds up what `conn` has begun to send, as it is now. Ends nobody. */
void budget_input_note(struct conn *conn);
/* The same when it may have grown: makes room when it is too much, `conn` may be ended by it. Not from inside ops. */
void budget_input_check(struct conn *conn);
/* Auth has agreed: it is no stranger any more. */
void budget_input_know(struct conn *conn);
/* It is gone. */
void budget_input_forget(struct conn *conn);

#endif
