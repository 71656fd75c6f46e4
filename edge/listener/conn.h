/*
 * conn: one accepted socket, as libwebsockets' raw role gives it to us: bytes in, and out
 * one write per turn of the loop for all that was queued in it. What the bytes mean is the
 * business of `ops` (http1.c, then ws.c after an upgrade).
 *
 * libwebsockets keeps the socket on the loop, buffers what a write leaves over and closes;
 * HTTP and RFC 6455 are read and written here, because the close codes, the limits, the
 * refusals that must arrive and the coalescing of frames are all ours to decide.
 *
 * With TLS what ops read and queue is the text inside; the records around it are made and
 * opened here, one write at a time (tls.h).
 *
 * The write does not wait for a writable callback unless the socket was full the last time:
 * asking libuv for one costs four epoll_ctl calls, more than the write itself.
 */
#ifndef EDGE_LISTENER_CONN_H
#define EDGE_LISTENER_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "edge/listener/flush.h"
#include "edge/listener/outq.h"
#include "edge/listener/peer.h"
#include "edge/listener/quota.h"

struct conn;
struct edge;
struct lws;
struct lws_context;
struct lws_vhost;
struct tls;

struct conn_ops {
    /* Reads from `data` (which it may change); returns the bytes it is done with. What it
     * leaves is offered again with what follows. May close the connection, not free it. */
    size_t (*on_input)(struct conn *conn, uint8_t *data, size_t len);
    /* Something may be written: queues what there is to say, if it was not queued when it was said; may be NULL. */
    void (*fill)(struct conn *conn);
    /* All that was queued has gone out. */
    void (*on_drained)(struct conn *conn);
    /* The deadline passed. */
    void (*on_deadline)(struct conn *conn);
    /* Bytes of a message that is not complete, apart from `conn->in`. */
    size_t (*held)(const struct conn *conn);
    /* There is no room for what it has begun to send: says so and ends it. */
    void (*on_overfull)(struct conn *conn);
    /* Too much waits for it to read: gives some of it up. False when it had nothing to give up but the connection; may
     * be NULL. */
    bool (*on_unread)(struct conn *conn);
    /* The socket is gone; last call. */
    void (*on_close)(struct conn *conn);
};

enum conn_phase {
    CONN_OPEN,
    CONN_FLUSHING,  /* write what is queued, then say that no more comes */
    CONN_LINGERING, /* said; what still comes in is thrown away until the peer hangs up */
};

/* Why the socket is not read from; any bit stops it. */
enum {
    CONN_HOLD_STALL = 1U << 0, /* libwebsockets holds a partial write */
    CONN_HOLD_OUT = 1U << 1,   /* answers back up */
    CONN_HOLD_AHEAD = 1U << 2, /* enough read ahead while a request is in hand */
};

struct conn {
    struct conn *next;
    struct conn *prev;
    struct edge *edge;
    struct lws *wsi;
    struct peer *peer;
    char remote[PEER_TEXT_MAX]; /* its address */
    const struct conn_ops *ops;
    void *state;     /* of ops */
    struct tls *tls; /* NULL: plain */
    struct text_buf in;
    size_t in_need; /* worth asking ops again only with so many bytes */
    size_t in_cost; /* bytes of what is not complete, as they were last added up */
    struct outq out;
    size_t ahead;         /* memory of what waits with ops, before it is queued */
    size_t held;          /* bytes that libwebsockets still has of the last write, at most */
    size_t cost;          /* memory of what waits, as it was last added up */
    struct quota *quota;  /* whose it is; NULL before hello-ok */
    uint64_t deadline_ms; /* of the loop's clock; 0: none */
    uint64_t progress_ms; /* when bytes last went out */
    uint64_t lingered;    /* bytes thrown away */
    enum conn_phase phase;
    unsigned holds;
    struct conn *doom_next;  /* waiting to be closed from the loop */
    struct conn *flush_next; /* in the queue of those that are to be written to */
    enum flush_lane flush;
    uint32_t peer_uid; /* who opened a local socket */
    bool has_peer_uid;
    bool is_known;        /* auth has agreed to somebody behind it */
    bool is_in_input;     /* ops->on_input is on the stack */
    bool is_secret_input; /* what is being read holds a secret */
    bool is_streaming;    /* a body is sent piece by piece */
    bool is_filling;      /* ops->fill is on the stack */
    bool is_partial;      /* libwebsockets holds what the socket did not take */
    bool is_slow;         /* it did so since the queue was last empty */
    bool is_killed;
};

/* Takes libwebsockets up on the actor's loop. 0 or a fault. */
int conn_context_open(struct edge *edge);
/* Closes every connection and takes libwebsockets down; the loop must run until its
 * handles are closed. */
void conn_context_close(struct edge *edge);

/* Adopts an accepted socket (owned from here on, closed on failure), which speaks TLS with
 * `is_sealed`. */
void conn_adopt(struct edge *edge, int fd, struct peer *peer, const struct sockaddr *address, bool is_sealed);

/* Bytes queued and not yet taken by libwebsockets; shared ones count in full. */
size_t conn_pending(const struct conn *self);

/* The same, with what ops keep for the reader and what libwebsockets holds. */
size_t conn_waiting(const struct conn *self);
/* What ops keep for the reader was `before` bytes of memory, and is `now`. */
void conn_ahead(struct conn *self, size_t before, size_t now);
/* Has ops->fill called at the end of this turn of the loop. */
void conn_wake(struct conn *self);

/* Appends; false when the connection had to be ended (no memory). */
bool conn_send(struct conn *self, struct span bytes);
/* Opens the queue for writing in place; conn_commit says that it grew. NULL while the
 * connection is past CONN_OPEN. */
struct text_buf *conn_out(struct conn *self);
void conn_commit(struct conn *self, size_t len_before);
/* Queues one frame whose middle is shared with other connections; `key` as in outq_share. */
void conn_share(struct conn *self, struct span head, struct outq_text *text, struct span tail, uint64_t key);
/* What waits for it counts for that principal from now on. 0 or -ENOMEM. */
int conn_charge(struct conn *self, struct span principal);
/* Takes back every frame that has not begun to go out. */
void conn_cut(struct conn *self);

/*
 * What is being read holds a secret, or what is about to be queued: wiped once it is done with. Before
 * hello-ok all input counts as that, and so does all of HTTP.
 */
void conn_input_secret(struct conn *self);
void conn_out_secret(struct conn *self);

/* Offers the waiting input to ops again (after it held back). */
void conn_pump(struct conn *self);
void conn_hold(struct conn *self, unsigned why);
void conn_release(struct conn *self, unsigned why);
void conn_deadline(struct conn *self, uint64_t after_ms); /* 0: none */

/* Flushes, shuts down our side and lingers until the peer hangs up. */
void conn_finish(struct conn *self);
/* Ends it without a word; ops->on_close is called later, from the loop. */
void conn_kill(struct conn *self);

/* The same, and what waits for it is freed at once. Not while a frame is open. */
void conn_discard(struct conn *self);

/* Deadlines and stalls of all connections. */
void conn_sweep(struct edge *edge, uint64_t now_ms);

#endif
