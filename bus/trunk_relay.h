/*
 * trunk_relay: one end of a trunk, from the side of the actors. What they send to the other
 * machine arrives at one mailbox, is numbered and kept by the session, and leaves by the
 * connection of the moment; what comes from there goes on to the mailbox of its receiver.
 */
#ifndef BUS_TRUNK_RELAY_H
#define BUS_TRUNK_RELAY_H

#include "bus/actor_internal.h"
#include "bus/trunk.h"
#include "bus/trunk_session.h"
#include "bus/zport.h"

struct trunk_outlet;

struct trunk_relay_opts {
    uv_loop_t *loop;
    const char *endpoint; /* where the actors of this side bring what is for the other one */
    /* Sends one message by the connection; it may be lost there. Copies or shares the frames. */
    void (*transmit)(void *arg, const struct trunk_head *head, const zmq_msg_t *header, const zmq_msg_t *body);
    /* Where the mailbox of `to` is; false when nobody is there. */
    bool (*find)(void *arg, struct span to, char out[LINK_ENDPOINT_MAX]);
    /* Does anybody of this process's directory have that endpoint? */
    bool (*is_known)(void *arg, const char *endpoint);
    void *arg;
};

struct trunk_relay {
    struct trunk_relay_opts opts;
    char endpoint[LINK_ENDPOINT_MAX];
    struct zport in;
    struct trunk_session session;
    struct trunk_outlet *outlets;
    bool is_connected;
};

int trunk_relay_new(const struct trunk_relay_opts *opts, uint64_t session, struct trunk_relay **ret_self);
/* Closes; what waited is dropped. The memory goes when the loop has run the closes. */
void trunk_relay_destroy(struct trunk_relay **self_p);

/* There is a connection, whose other side has heard so much: what it has not heard is said again. False when it cannot
 * have heard that. */
bool trunk_relay_connect(struct trunk_relay *self, uint64_t seen);
void trunk_relay_disconnect(struct trunk_relay *self);
/* The other side has heard so much. */
bool trunk_relay_on_seen(struct trunk_relay *self, uint64_t seen);
/* Something came; takes both frames. TRUNK_SESSION_BROKEN: the connection must end. */
enum trunk_session_verdict trunk_relay_on_data(struct trunk_relay *self, const struct trunk_head *head,
                                               zmq_msg_t *header, zmq_msg_t *body);
/* Sends a head alone. */
void trunk_relay_say(struct trunk_relay *self, enum trunk_kind kind);
/* Closes what leads to nobody any more. Now and then. */
void trunk_relay_sweep(struct trunk_relay *self);
/* Its endpoint's file may be gone. */
void trunk_relay_bind_again(struct trunk_relay *self);
/* By any socket of this process that leads there; what cannot go at once is dropped. Takes the frame. */
void trunk_relay_drop_off(struct trunk_relay *self, const char *endpoint, zmq_msg_t *frame);

#endif
