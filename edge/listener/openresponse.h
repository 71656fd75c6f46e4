/*
 * openresponse: POST /v1/responses on the bus.
 */
#ifndef EDGE_LISTENER_OPENRESPONSE_H
#define EDGE_LISTENER_OPENRESPONSE_H

struct exchange;

/* Called as exchange->on_body. */
void openresponse_start(struct exchange *self);

#endif
