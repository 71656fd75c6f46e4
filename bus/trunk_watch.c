#include "bus/trunk_watch.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/descriptors.h"
#include "bus/frame.h"

zsock_t *trunk_watch_begin(zsock_t *watched, const char *name)
{
    char endpoint[64];
    zsock_t *watch = descriptors_few(DESCRIPTORS_SOCKET) ? NULL : zsock_new(ZMQ_PAIR);

    if (!watch) {
        return NULL;
    }
    zsock_set_linger(watch, 0);
    zsock_set_rcvhwm(watch, 0); /* libzmq would wait for room, and every connection with it */
    (void)snprintf(endpoint, sizeof(endpoint), "inproc://%.48s", name);
    if (zmq_socket_monitor(zsock_resolve(watched), endpoint, ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED)) {
        zsock_destroy(&watch);
        return NULL;
    }
    if (zmq_connect(zsock_resolve(watch), endpoint)) {
        trunk_watch_end(watched);
        zsock_destroy(&watch);
    }
    return watch;
}

/* An event is two frames: number and value, then the address (zmq_socket_monitor(3)). */
enum trunk_watch_event trunk_watch_next(zsock_t *watch)
{
    void *raw = zsock_resolve(watch);
    uint16_t number = 0;
    zmq_msg_t frame;

    (void)zmq_msg_init(&frame);
    if (!frame_receive(&frame, raw)) {
        (void)zmq_msg_close(&frame); /* empty */
        return TRUNK_WATCH_NONE;
    }
    if (zmq_msg_size(&frame) >= sizeof(number)) {
        memcpy(&number, zmq_msg_data(&frame), sizeof(number));
    }
    bool has_more = zmq_msg_more(&frame);
    frame_close(&frame);
    if (has_more) {
        (void)zmq_msg_init(&frame);
        (void)frame_receive(&frame, raw); /* all frames of a message arrive together (zmq_msg_recv(3)) */
        frame_close(&frame);
    }
    return number == ZMQ_EVENT_CLOSED ? TRUNK_WATCH_REFUSED : TRUNK_WATCH_ENDED;
}

void trunk_watch_end(zsock_t *watched)
{
    (void)zmq_socket_monitor(zsock_resolve(watched), NULL, 0); /* fails only for what is no socket */
}
