/*
 * frame: one ZeroMQ message part, made, sent, received and closed in one place, so that
 * the hand-over of its bytes between threads is named in one place (base/handover.h).
 */
#ifndef BUS_FRAME_H
#define BUS_FRAME_H

#include <stdbool.h>
#include <zmq.h>

#include "bus/base/span.h"

/* A copy of `bytes`. 0 or -ENOMEM. */
int frame_copy(struct span bytes, zmq_msg_t *ret_frame);
/* The same, wiped when the last of those who share it has closed it. A link to another process copies it once more. */
int frame_copy_secret(struct span bytes, zmq_msg_t *ret_frame);
/* Closes an initialised frame. */
void frame_close(zmq_msg_t *frame);
/* Moves the content of `from`, which is left closed, to `ret_frame`, which was not initialised. */
void frame_take(zmq_msg_t *ret_frame, zmq_msg_t *from);
/* Never waits. False when it was not taken; the frame is then still the caller's. */
bool frame_send(zmq_msg_t *frame, void *socket, bool has_more);
/* Never waits. False when there is none. */
bool frame_receive(zmq_msg_t *frame, void *socket);

#endif
