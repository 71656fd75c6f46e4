/*
 * hooks_state: the state of the actor and what its parts do with it. For this folder alone.
 *
 *   accept.c    a hook comes in: what it asks for, whether it may, stored once
 *   transform.c modules of the user, which some hooks go through before that
 *   dispatch.c  what was stored is done: told to an agent, or run and its answer passed on
 *   setup.c     the configuration, and which channels there are
 *   changing.c  what such a module is given, and what it said
 *   settings.c, order.c, template.c  pure
 */
#ifndef ACTORS_HOOKS_HOOKS_STATE_H
#define ACTORS_HOOKS_HOOKS_STATE_H

#include <uv.h>

#include "actors/hooks/settings.h"
#include "actors/hooks/transform.h"
#include "bus/actor.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/config_follow.h"
#include "schema/base/disk_watch.h"
#include "schema/base/shelf.h"

#define HOOKS_OPEN_MAX 4096U               /* that are not done yet */
#define HOOKS_BYTES_MAX ((size_t)64 << 20) /* of all of them */
#define HOOKS_UNDER_WAY_MAX 256U           /* that somebody is asked about */
#define HOOKS_KNOWN_MAX 2000U              /* idempotency keys of those that are done */
#define HOOKS_KNOWN_MS (int64_t)86400000
#define HOOKS_CHANNELS_MAX 256U
#define HOOKS_ID_MAX 37
#define HOOKS_DIGEST_MAX 65 /* hexadecimal, with terminator */

/* Records of the shelf. */
enum {
    KIND_OPEN = 1, /* by id; the owner is the digest of its idempotency key, "" without one */
    KIND_DONE = 2, /* by digest: what its sender was told */
};

enum hook_step {
    HOOK_WAKE,    /* the scheduler shall tell an agent */
    HOOK_RUN,     /* an agent shall have its turn */
    HOOK_LOOK,    /* where the person of the main session wrote last */
    HOOK_DELIVER, /* a channel shall have what the agent said */
    HOOK_TELL,    /* the main session shall know how it went */
    HOOK_FORGET,  /* done; the record shall go */
};

/* One that is stored and not done. */
struct hook {
    struct hook *next; /* younger */
    char id[HOOKS_ID_MAX];
    size_t bytes;
    enum hook_step step;
    bool is_under_way;
    uint64_t retry_at_ms; /* of the loop's clock; 0: now */
    unsigned broken_n;    /* how often a receiver broke on it */
    bool is_failed;       /* the run was */
    struct text_buf said; /* what came of the run */
    char channel[65];     /* "last" found out */
};

struct hook_counts {
    uint64_t taken_n;
    uint64_t repeated_n;
    uint64_t refused_n;
    uint64_t skipped_n; /* a transform left them out */
    uint64_t done_n;
    uint64_t failed_n; /* of those, whose run failed or that nobody could be told of */
    uint64_t retried_n;
};

struct taking; /* one that comes in */

struct hooks {
    struct actor *actor;
    struct shelf *shelf;
    struct disk_watch disk;
    struct settings settings;
    struct hook *first;
    struct hook *last;
    size_t open_n;
    size_t bytes; /* of the open ones */
    size_t under_way_n;
    struct hook_counts counts;
    struct transforms transforms;
    struct taking *changing; /* those whose transform has not said anything yet */
    char why[256];           /* the newest reason to try again; empty when nothing waits for that */

    uv_timer_t timer; /* the earliest retry */
    bool has_timer;
    struct config_follow follow;
    bool has_settings;
    char channels[HOOKS_CHANNELS_MAX][ACTOR_ADDRESS_MAX]; /* ready ones */
    size_t channels_n;

    struct pack pack;
};

/* --- accept.c ------------------------------------------------------------------------------------ */

int on_hook_post(void *arg, struct actor_ctx *ctx, const void *msg);
/* Who sent it has gone. */
void on_hook_cancel(void *arg, struct actor *actor, void *cookie);
/* Ends the transforms. */
void accept_close(struct hooks *self);

/* --- dispatch.c ---------------------------------------------------------------------------------- */

/* Takes up what is stored. 0 or a fault. */
int dispatch_open(struct hooks *self);
void dispatch_close(struct hooks *self);
/* A record that is stored is to be done. */
void dispatch_add(struct hooks *self, const struct shelf_item *item);
/* Begins what may begin. 0 or a fault. */
int dispatch_pump(struct hooks *self);

/* --- setup.c --------------------------------------------------------------------------------------- */

/* Follows the config, and watches channels. 0 or a fault. */
int setup_open(struct hooks *self);
void setup_close(struct hooks *self);
int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg);
/* The address of a ready account of a channel; NULL when there is none. The web chat is no place to send to. */
const char *setup_channel(const struct hooks *self, const char *type);
/* "channel must be last|…", for a sender who named another. */
void setup_channels_say(const struct hooks *self, char *out, size_t size);

#endif
