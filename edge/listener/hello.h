/*
 * hello: the frame that opens the conversation, hello-ok.
 */
#ifndef EDGE_LISTENER_HELLO_H
#define EDGE_LISTENER_HELLO_H

#include "edge/listener/conn.h"

#define HELLO_PROTOCOL_MIN 3U
#define HELLO_PROTOCOL_MAX 4U

struct msg_auth_decision;
struct msg_health_snapshot_value;

/* The newest protocol within the client's range that we speak too; 0: there is none. */
unsigned hello_protocol(int64_t min, int64_t max);
/* Writes the object `features` from the tables. 0 or -ENOMEM. */
int hello_features(struct text_buf *out);
/* `id` is the raw JSON of the id of the connect request. */
void hello_send(struct conn *conn, struct span id, const struct msg_auth_decision *decision,
                const struct msg_health_snapshot_value *health);

#endif
