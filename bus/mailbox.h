/*
 * mailbox: what an actor has received and not yet handled, bounded in bytes and
 * messages, with a share for each principal.
 *
 * What one sender has sent stands in a lane of its own and keeps its order. The lanes take
 * turns, so a sender with much to say does not keep others waiting. A principal may hold at
 * most half of the limits, so one of them cannot shut the others out; traffic without a
 * principal is the gateway's own and is bounded by the limits alone. Answers and
 * bus-internal traffic are always admitted: they are bounded by the calls behind them.
 */
#ifndef BUS_MAILBOX_H
#define BUS_MAILBOX_H

#include <stdbool.h>
#include <zmq.h>

#include "bus/body.h"
#include "bus/envelope.h"

/* Limits of a definition that names none. */
#define MAILBOX_MSGS_DEFAULT 65536U
#define MAILBOX_BYTES_DEFAULT ((size_t)64 * 1024 * 1024)

enum {
    MAILBOX_E_FULL = 1,  /* the mailbox is at its limit */
    MAILBOX_E_SHARE = 2, /* this principal is at its share */
};

struct link;
struct mail;

/* What waits of one sender. Zeroed it is empty; it lives as long as the mailbox holds mail of it. */
struct mailbox_lane {
    struct mail *head;
    struct mail **tail;
    struct mailbox_lane *next; /* whose turn comes behind it, while it is not empty */
    bool is_patient;           /* nothing of it overtakes what was there before, whoever sent that */
};

/* One received message; owned by the mailbox's pool. */
struct mail {
    zmq_msg_t header;
    struct body body;
    struct envelope env; /* borrows from `header` */
    size_t bytes;        /* header + body */
    uint64_t arrived_ns; /* monotonic */
    uint64_t number;     /* in the order of all that was pushed */
    struct mail *next;
    struct mailbox_principal *principal;
    struct link *link; /* of who sent it; lives as long as the actor */
};

struct mailbox_principal {
    char name[ACTOR_PRINCIPAL_MAX];
    uint8_t len;
    uint32_t msgs;
    size_t bytes;
    struct mailbox_principal *next;
};

struct mailbox {
    struct mailbox_lane *lane; /* whose turn it is; NULL: nothing waits */
    struct mailbox_lane **lanes_tail;
    uint32_t turn_left; /* mails until the next lane's turn */
    uint64_t pushed;
    struct mail *pool;
    uint32_t msgs;
    size_t bytes;
    uint32_t msgs_max;
    size_t bytes_max;
    uint64_t refused;
    struct mailbox_principal *principals[64]; /* chained; entries live while they hold mail */
};

void mailbox_init(struct mailbox *self, uint32_t msgs_max, size_t bytes_max);
void mailbox_deinit(struct mailbox *self);

/* An empty mail from the pool, frames initialised; give it to push or recycle. */
struct mail *mailbox_mail_new(struct mailbox *self);
void mailbox_recycle(struct mailbox *self, struct mail **mail_p);

/* Takes the mail on 0; on MAILBOX_E_* the caller keeps it. */
int mailbox_push(struct mailbox *self, struct mailbox_lane *lane, struct mail **mail_p);
/* The oldest mail of the lane whose turn it is, or NULL; its share is given back here. The caller recycles it. */
struct mail *mailbox_pop(struct mailbox *self);

#endif
