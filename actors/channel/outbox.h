/*
 * outbox: what one account has to send, in SQLite, so that nothing acknowledged to its
 * writer is lost and nothing is sent twice by us.
 *
 *   queued ──sending──> sent
 *             │  └────> queued again (the far side refused for now), or dead
 *             └ crash ─> unknown: it may have arrived; only an operator sends it again
 *
 * One key (of the logical reply) is one row, for as long as rows are kept. Every change
 * belongs to the open batch until outbox_commit; nothing may be told before that.
 */
#ifndef ACTORS_CHANNEL_OUTBOX_H
#define ACTORS_CHANNEL_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

struct sqlite3;

enum outbox_state {
    OUTBOX_QUEUED = 0,
    OUTBOX_SENDING = 1,
    OUTBOX_SENT = 2,
    OUTBOX_UNKNOWN = 3,
    OUTBOX_DEAD = 4,
};
const char *outbox_state_name(enum outbox_state state);

#define OUTBOX_OPEN_MAX 10000 /* messages waiting; more are refused */

enum {
    OUTBOX_E_FULL = 1,    /* OUTBOX_OPEN_MAX reached */
    OUTBOX_E_STORAGE = 2, /* the disk is full or failing; nothing was kept */
    OUTBOX_E_EMPTY = 3,   /* nothing is queued */
};

struct outbox_item {
    uint64_t id;
    enum outbox_state state;
    bool is_repeat; /* the key was known */
    struct span key;
    struct span session_key;
    struct span run_id;
    struct span to;
    struct span thread_id;
    struct span text;
    struct span media; /* one msgpack value, or empty */
    uint32_t attempts_n;
    int64_t created_at;
};

struct outbox_counts {
    uint64_t queued_n; /* with those being sent */
    uint64_t unknown_n;
    uint64_t dead_n;
    int64_t oldest_queued_at; /* 0: nothing waits */
};

struct outbox {
    struct sqlite3 *db;
    bool is_open; /* a batch is */
    uint64_t commits_n;
    struct outbox_counts counts;
};

/*
 * Opens (or makes) the database. What was being sent when the last life ended becomes
 * unknown. 0, a fault, or OUTBOX_E_STORAGE when the file is not ours to use.
 */
int outbox_open(const char *path, struct outbox *ret_outbox);
void outbox_close(struct outbox *self);

/* Adds a message, or finds the row its key already has; id, state and is_repeat are set
 * in `item`. 0 or OUTBOX_E_FULL, OUTBOX_E_STORAGE. */
int outbox_put(struct outbox *self, struct outbox_item *item, int64_t now_ms);
/* Makes the batch durable. 0, or OUTBOX_E_STORAGE: then nothing of it is. */
int outbox_commit(struct outbox *self);
/* Whether the disk takes writes again, when no batch is open. 0 or OUTBOX_E_STORAGE. */
int outbox_probe(struct outbox *self);

/*
 * Takes the oldest queued message for sending: its row becomes `sending`. Texts in
 * `ret_item` live until outbox_item_free. 0, OUTBOX_E_EMPTY or OUTBOX_E_STORAGE.
 */
int outbox_take(struct outbox *self, struct outbox_item *ret_item, int64_t now_ms);
void outbox_item_free(struct outbox_item *item);

/* What became of a message that was taken. */
int outbox_mark(struct outbox *self, uint64_t id, enum outbox_state state, struct span why, int64_t now_ms);

#endif
