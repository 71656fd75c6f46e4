/*
 * zport: a ZeroMQ socket on a loop of libuv. ZMQ_FD is edge-triggered, and any call on the
 * socket, sending too, may take the edge; so whoever sends kicks, and a turn that has not
 * emptied the socket has another one.
 */
#ifndef BUS_ZPORT_H
#define BUS_ZPORT_H

#include <czmq.h>
#include <stdbool.h>
#include <uv.h>

struct zport {
    zsock_t *sock;
    void *raw;
    uv_poll_t poll;
    uv_idle_t idle;
    unsigned handles_n;
    bool is_paused;
    bool (*on_turn)(void *arg); /* takes what is there; true when there may be more */
    void (*on_closed)(void *arg);
    void *arg;
};

/* Takes the socket; on a fault it is closed. The struct must live until on_closed. */
int zport_open(struct zport *self, uv_loop_t *loop, zsock_t **sock_p, bool (*on_turn)(void *arg), void *arg);
/* Closes the socket; calls `on_closed` from the loop, also for one that was never opened. */
void zport_close(struct zport *self, void (*on_closed)(void *arg));
/* Something was sent, or more is to be taken. */
void zport_kick(struct zport *self);
/* Takes nothing for now. */
void zport_pause(struct zport *self, bool is_paused);

#endif
