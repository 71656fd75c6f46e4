/*
 * base: what every channel is made of: an account, an outbox, and the two calls that all
 * of them answer. A channel adds its transport and its own routes.
 *
 * The state struct of a channel's actor begins with `struct channel`.
 */
#ifndef ACTORS_CHANNEL_BASE_H
#define ACTORS_CHANNEL_BASE_H

#include "actors/channel/account.h"
#include "actors/channel/outbox.h"
#include "bus/actor.h"
#include "schema/base/disk_watch.h"

#define CHANNEL_ACCOUNT_MAX 64
#define CHANNEL_BATCH 32 /* messages marked as being sent by one sync */

struct channel;

struct channel_transport {
    const char *type;  /* "webchat": second part of the address */
    const char *label; /* for people */
    /* Begins to connect; later tells by channel_event. */
    int (*start)(struct channel *self);
    /* True while messages can be handed over. */
    bool (*may_send)(const struct channel *self);
    /* Hands one message over; tells by channel_result, before it returns or later. */
    int (*send)(struct channel *self, const struct outbox_item *item);
    /* Asks the far side whether it is there and tells by channel_event; NULL: the state
     * of the transport says everything. */
    int (*probe)(struct channel *self, uint32_t timeout_ms);
};

struct channel_waiter {
    struct actor_token token;
    struct outbox_item item; /* id, state and is_repeat alone */
};

struct channel {
    struct actor *actor;
    const struct channel_transport *transport;
    char account_id[CHANNEL_ACCOUNT_MAX + 1];
    char path[4096]; /* of the database */
    struct account account;
    struct outbox outbox;
    bool has_outbox;
    struct disk_watch disk;
    uv_timer_t commit; /* due at once: after the messages at hand, one sync for all */
    bool has_commit;
    struct channel_waiter *waiters; /* deliveries that await the sync; owned */
    size_t waiters_n;
    size_t waiters_cap;
    bool was_empty; /* outbox, when it was last told */
};

/* `account_id` "" is "default". 0 or a fault; a database that cannot be opened is no
 * fault: the account says so and deliveries are refused until it can. */
int channel_init(struct channel *self, struct actor *actor, const struct channel_transport *transport,
                 const char *account_id);
void channel_deinit(struct channel *self);

/* Something happened to the account; tells those who watch. 0 or a fault. */
int channel_event(struct channel *self, enum account_event event, const char *why);
/* What became of a message that `send` was given. */
int channel_result(struct channel *self, uint64_t id, enum outbox_state state, const char *why);
/* Sends what waits, as far as the transport takes it. */
int channel_pump(struct channel *self);

/* The routes of every channel. */
int channel_on_status(void *arg, struct actor_ctx *ctx, const void *msg);
int channel_on_deliver(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
