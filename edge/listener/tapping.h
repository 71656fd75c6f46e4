/*
 * tapping: what clients with the scope operator.admin see of the bus: the methods bus.tap.subscribe,
 * bus.tap.unsubscribe and bus.actors.list, and the event bus.tap.lines.
 *
 * The lines come by a socket of their own (bus/tap_inlet.h) and go to the connection at once, so
 * none of them is an envelope, and a tap does not see itself. They end with the conversation.
 */
#ifndef EDGE_LISTENER_TAPPING_H
#define EDGE_LISTENER_TAPPING_H

#include "edge/listener/ws.h"

/* False when it is none of these methods. `id` is raw JSON, `body` the packed params. */
bool tapping_take(struct conn *conn, struct span id, struct trace_id trace, const struct schema_msg *msg,
                  struct span body);
/* The conversation is over: nothing is shown to it from now on. */
void tapping_end(struct conn *conn, struct ws *ws);
/* The connection is gone. */
void tapping_drop(struct conn *conn, struct ws *ws);
void tapping_free_orphans(struct edge *edge);

#endif
