/*
 * body: one packed msgpack value that many receivers can share without copying.
 */
#ifndef BUS_BODY_H
#define BUS_BODY_H

#include <zmq.h>

#include "bus/base/span.h"

struct body {
    zmq_msg_t msg;
};

/* Copies `bytes` in. 0 or -ENOMEM. */
int body_init(struct body *self, struct span bytes);
/* Shares the bytes of `from`; both must be closed. */
int body_init_share(struct body *self, const struct body *from);
void body_deinit(struct body *self);
struct span body_span(const struct body *self);

#endif
