/*
 * trunk_session: what one side of a trunk has said and heard in this session: numbers what
 * it sends, keeps that until it is acknowledged, and lets in each number once. No sockets,
 * no clock.
 */
#ifndef BUS_TRUNK_SESSION_H
#define BUS_TRUNK_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#define TRUNK_SESSION_BYTES_MAX ((size_t)32 * 1024 * 1024)
#define TRUNK_SESSION_MSGS_MAX 65536U
#define TRUNK_SESSION_ACK_MSGS 256U /* so much may be heard before it is acknowledged by itself */
#define TRUNK_SESSION_ACK_BYTES ((size_t)1024 * 1024)

struct trunk_item {
    struct trunk_item *next;
    uint64_t number;
    size_t bytes;
    zmq_msg_t header;
    zmq_msg_t body;
};

struct trunk_session {
    uint64_t id;   /* 0: none */
    uint64_t sent; /* the newest number */
    uint64_t seen; /* the newest that was let in */
    uint64_t told; /* what the other side knows of that */
    size_t untold_bytes;
    struct trunk_item *head; /* not acknowledged, oldest first */
    struct trunk_item **tail;
    size_t bytes;
    uint32_t msgs;
};

enum trunk_session_verdict {
    TRUNK_SESSION_NEW,    /* let it in */
    TRUNK_SESSION_TWICE,  /* it was let in before */
    TRUNK_SESSION_BROKEN, /* something before it is missing: this connection cannot go on */
};

void trunk_session_init(struct trunk_session *self, uint64_t id);
void trunk_session_deinit(struct trunk_session *self);

/* Nothing more is to be sent until something is acknowledged. */
bool trunk_session_is_full(const struct trunk_session *self);
/* Numbers it and keeps it; takes both frames. The item stays here. */
const struct trunk_item *trunk_session_push(struct trunk_session *self, zmq_msg_t *header, zmq_msg_t *body);
/* The other side has all up to this number. False when it cannot have. */
bool trunk_session_on_seen(struct trunk_session *self, uint64_t seen);
enum trunk_session_verdict trunk_session_on_data(struct trunk_session *self, uint64_t number, size_t bytes);
/* So much was heard that it should be acknowledged without waiting for something to say. */
bool trunk_session_owes(const struct trunk_session *self);
/* What to write into a head that leaves now. */
uint64_t trunk_session_tell(struct trunk_session *self);

#endif
