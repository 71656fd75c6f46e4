/*
 * invoke_internal: a command that a node was asked for, as its parts see it: invoke.c asks and gives up,
 * invoke_result.c takes what the node says in the end, invoke_progress.c what it says before. Only they include this.
 */
#ifndef ACTORS_NODE_INVOKE_INTERNAL_H
#define ACTORS_NODE_INVOKE_INTERNAL_H

#include "actors/node/node_state.h"
#include "actors/node/outcome.h"

/* Somebody who waits for the result; the cookie of the deferred call. */
struct waiter {
    struct waiter *next;
    struct invoke *invoke;
    struct actor_token token;
    char conn_id[65]; /* of a client that wants to hear of progress; else empty */
};

struct invoke {
    struct invoke *next;
    char id[IDS_UUID_MAX];
    struct session *session; /* NULL: it is gone */
    char *command;
    char *idempotency_key;
    char *key; /* of outcome.h; NULL for our own */
    struct text_buf node_id;
    struct text_buf params; /* packed, or empty */
    struct waiter *waiters;
    uint64_t deadline; /* of the loop's clock */
    uint32_t timeout_ms;
    bool is_checking;  /* approval has the word; it must not be freed before the answer */
    bool is_bare;      /* the asker gets the payload alone */
    bool has_progress; /* the node said something before the end */
    uint64_t next_seq; /* of what it says */
};

/* The one of that id whose result only this connection may bring; NULL when there is none, or it is over. */
struct invoke *invoke_awaited(const struct node *self, struct span id, const struct type_client *client);
/* Tells a node that has been talking that nobody listens any more. 0 or a fault. */
int invoke_cancel(struct node *self, const struct invoke *invoke);
/* The loop's clock. */
uint64_t invoke_now(const struct node *self);
/* For the deadline that is next. */
void invoke_timer_set(struct node *self);
/* May the command wait in the app until it is on the screen? */
bool invoke_is_deferrable(const struct invoke *invoke);
/* Everyone who waits gets the result; `invoke` is gone after it unless approval still has the word. */
int invoke_end(struct node *self, struct invoke *invoke, const struct result *result);
/* Fails with "CODE: message" and details.nodeError, as for an error that the node reported. */
int invoke_fail(struct node *self, struct invoke *invoke, struct span code, struct span message, bool is_final);

#endif
