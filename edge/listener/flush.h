/*
 * flush: which connections are written to at the end of a turn of the loop, and in which order.
 *
 * Answers, events and whatever else is said at once leave in the turn in which it was said. Bodies that are sent piece
 * by piece, such as streamed completions, take turns behind them, as many as fit into a short time: with a thousand of
 * them under way a small request is not held up by all their writes, and what comes meanwhile for one that waits leaves
 * in the same write.
 */
#ifndef EDGE_LISTENER_FLUSH_H
#define EDGE_LISTENER_FLUSH_H

enum flush_lane {
    FLUSH_NONE, /* nothing is to be written */
    FLUSH_AT_ONCE,
    FLUSH_IN_TURN,
    FLUSH_LANES,
};

struct conn;
struct edge;

struct flush_queue {
    struct conn *head;
    struct conn *last;
};

/* At the end of this turn, or of one soon; nothing when it is so already. */
void flush_want(struct conn *conn);
/* Takes it off. */
void flush_forget(struct conn *conn);

#endif
