/*
 * followers: who works by which part of the config, and whether each has it in force.
 *
 * An actor asks once in each of its lives (config_follow) and is sent its part, whole at
 * first, later when something in it has changed: at most one config_update is on the way to
 * each, and what changes meanwhile is one more. A rollout is one change on its way to all
 * whom it concerns; it ends when each of them has applied it, refused it, or let the
 * deadline pass. Nobody is waited for in a handler, so config answers all the while.
 */
#ifndef ACTORS_CONFIG_FOLLOWERS_H
#define ACTORS_CONFIG_FOLLOWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/actor.h"
#include "bus/pack.h"

#define FOLLOWERS_MAX 512
#define ROLLOUTS_MAX 64
#define FOLLOWER_MS 3000U       /* what one may take to apply a change */
#define FOLLOWER_AGAIN_MS 2000U /* one that did not answer gets everything again */
#define FOLLOWER_REASON_MAX 256

struct config;
struct config_follower;
struct follower;

struct rollout {
    struct rollout *next;
    uint64_t version;
    uint64_t started_ns;
    struct follower **waits; /* those that have not said yet */
    size_t waits_n;
    size_t told_n;
    size_t failed_n;
    bool is_edge_due; /* the edges start again when this is over */
    bool is_move_due; /* on other sockets */
    bool has_asker;   /* whoever changed the config waits for it */
    struct actor_token asker;
    struct pack answer; /* for it: an open map */
};

struct followers {
    struct follower *first;
    size_t n;
    struct rollout *rollouts;
    size_t rollouts_n;
    struct pack part; /* what is being sent; wiped after */
    uv_timer_t again;
    bool has_timer;
};

int followers_open(struct config *self);
void followers_close(struct config *self);

/* The first follower that does not work by what is in force, for the status; false: none. */
bool followers_problem(const struct config *self, char *text, size_t size);
/* Appends all of them to an open map as `notApplied`, a list of {actor, reason}, when there are any. */
void followers_problems_pack(const struct config *self, struct pack *out);

/*
 * What is in force now differs from what was in `paths` (packed list): tells all whom it
 * concerns. The rollout lives until the loop turns, and as long as it waits for somebody.
 */
struct rollout *followers_tell(struct config *self, struct span paths, struct actor_ctx *cause);
/* Secrets that some had to wait for are there, or will not be: sends to those that may have them. */
void followers_resume(struct config *self);
/* Nobody will be added to it: ends at once when it waits for nobody. */
void rollout_close(struct config *self, struct rollout *rollout);
/* The one of this version that still waits, or NULL. */
struct rollout *rollout_find(struct config *self, uint64_t version);

int config_on_follow(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
