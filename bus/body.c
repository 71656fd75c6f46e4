#include "bus/body.h"

#include <stdint.h>

#include "bus/base/fault.h"
#include "bus/frame.h"

/* libzmq takes plain pointers also where it only reads or counts a reference. */
static zmq_msg_t *msg_of(const struct body *self)
{
    return (zmq_msg_t *)(uintptr_t)&self->msg;
}

int body_init(struct body *self, struct span bytes)
{
    return frame_copy(bytes, &self->msg);
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
    frame_close(&self->msg);
}

struct span body_span(const struct body *self)
{
    return (struct span){ zmq_msg_data(msg_of(self)), zmq_msg_size(msg_of(self)) };
}
