/*
 * surface: where a client finds the canvas: in its hello-ok, and anew when it asks. The address holds a capability.
 */
#ifndef EDGE_LISTENER_SURFACE_H
#define EDGE_LISTENER_SURFACE_H

#include "edge/listener/ws.h"

/* auth agreed to it: nodes that show a canvas, and whoever may read, get an address. `caps` is a packed list. */
void surface_allow(struct ws *ws, const char *origin, struct span caps);
/* Appends the members of hello-ok. 0 or -ENOMEM. */
int surface_hello_write(struct conn *conn, struct text_buf *out);
/* Answers one of the methods that make a new address; false when it is another one. */
bool surface_take(struct conn *conn, struct span id, const struct schema_msg *msg, struct span body);

#endif
