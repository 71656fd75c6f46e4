#include "bus/frame.h"

#include "bus/base/fault.h"
#include "bus/base/handover.h"

int frame_copy(struct span bytes, zmq_msg_t *ret_frame)
{
    if (zmq_msg_init_size(ret_frame, bytes.len) != 0) {
        return FAULT(-ENOMEM);
    }
    handover_take(zmq_msg_data(ret_frame)); /* the memory may have been another frame's */
    if (bytes.len) {
        memcpy(zmq_msg_data(ret_frame), bytes.ptr, bytes.len);
    }
    return 0;
}

void frame_close(zmq_msg_t *frame)
{
    handover_give(zmq_msg_data(frame));
    (void)zmq_msg_close(frame); /* fails only for an uninitialised frame */
}

bool frame_send(zmq_msg_t *frame, void *socket, bool has_more)
{
    handover_give(zmq_msg_data(frame));
    return zmq_msg_send(frame, socket, ZMQ_DONTWAIT | (has_more ? ZMQ_SNDMORE : 0)) >= 0;
}

bool frame_receive(zmq_msg_t *frame, void *socket)
{
    if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
        return false;
    }
    handover_take(zmq_msg_data(frame));
    return true;
}
