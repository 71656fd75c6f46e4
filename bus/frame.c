#include "bus/frame.h"

#include <stdint.h>
#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/base/handover.h"
#include "bus/base/mem.h"

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

/* Whoever closes last has taken over what the others gave. */
static void secret_free(void *data, void *len)
{
    handover_take(data);
    mem_wipe(data, (size_t)(uintptr_t)len);
    free(data);
}

int frame_copy_secret(struct span bytes, zmq_msg_t *ret_frame)
{
    void *data = malloc(bytes.len ? bytes.len : 1);

    if (!data || zmq_msg_init_data(ret_frame, data, bytes.len, secret_free, (void *)(uintptr_t)bytes.len)) {
        free(data);
        return FAULT(-ENOMEM);
    }
    handover_take(data);
    if (bytes.len) {
        memcpy(data, bytes.ptr, bytes.len);
    }
    return 0;
}

void frame_close(zmq_msg_t *frame)
{
    handover_give(zmq_msg_data(frame));
    (void)zmq_msg_close(frame); /* fails only for an uninitialised frame */
}

void frame_take(zmq_msg_t *ret_frame, zmq_msg_t *from)
{
    (void)zmq_msg_init(ret_frame);       /* cannot fail */
    (void)zmq_msg_move(ret_frame, from); /* fails only for an uninitialised frame */
    (void)zmq_msg_close(from);
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
