#include "bus/body.h"

#include <stdint.h>

#include "bus/base/fault.h"

/* libzmq takes plain pointers also where it only reads or counts a reference. */
static zmq_msg_t *msg_of(const struct body *self)
{
    return (zmq_msg_t *)(uintptr_t)&self->msg;
}

int body_init(struct body *self, struct span bytes)
{
    if (zmq_msg_init_size(&self->msg, bytes.len) != 0) {
        return FAULT(-ENOMEM);
    }
    if (bytes.len) {
        memcpy(zmq_msg_data(&self->msg), bytes.ptr, bytes.len);
    }
    return 0;
}

int body_init_share(struct body *self, const struct body *from)
{
    (void)zmq_msg_init(&self->msg); /* always 0 */
    if (zmq_msg_copy(&self->msg, msg_of(from)) != 0) {
        return FAULT(-zmq_errno());
    }
    return 0;
}

void body_deinit(struct body *self)
{
    (void)zmq_msg_close(&self->msg); /* fails only when it was never opened */
}

struct span body_span(const struct body *self)
{
    return (struct span){ zmq_msg_data(msg_of(self)), zmq_msg_size(msg_of(self)) };
}
