/*
 * activation: a config, or its secrets anew, on the way to be in force: its references are
 * resolved beside the loop, and then everything is swapped at once, or nothing is.
 *
 * One at a time. While secrets fail the actor is degraded: it tries again by itself, later
 * and later, and tells when that is over.
 */
#ifndef ACTORS_CONFIG_ACTIVATION_H
#define ACTORS_CONFIG_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "actors/config/snapshot.h"
#include "bus/actor.h"

#define ACTIVATION_WAITERS_MAX 64U

struct config;

enum activation_why {
    ACTIVATION_NONE,
    ACTIVATION_START,  /* the first of this life: what fails is missing to its owner alone */
    ACTIVATION_FILE,   /* the files have changed: what is new or other must resolve */
    ACTIVATION_WRITE,  /* somebody wants to write: likewise, before it is written */
    ACTIVATION_RELOAD, /* secrets.reload */
    ACTIVATION_RETRY,  /* by itself, while degraded */
};

/* Of a write: what it wanted to know. `broken` is a reference that fails, or NULL; `problem` is why the gateway cannot
 * listen where it is to, or NULL. */
typedef void (*activation_on_judged)(struct config *self, const struct secret_entry *broken, const char *problem);

struct activation {
    enum activation_why why;
    struct secret_resolve *resolve;
    struct secret_ref *refs;
    struct secret_set *set;    /* whose outcomes are awaited: of `fresh`, of a write, or `renewed` */
    struct snapshot fresh;     /* FILE */
    struct snapshot *judged;   /* WRITE: borrowed */
    struct secret_set renewed; /* RELOAD, RETRY */
    activation_on_judged on_judged;
    struct actor_token waiters[ACTIVATION_WAITERS_MAX]; /* calls of secrets.reload */
    size_t waiters_n;
    bool is_look_due;   /* the files changed meanwhile */
    bool is_reload_due; /* secrets.reload was called meanwhile */
    bool has_timers;
    uv_timer_t retry;
    uv_timer_t grace; /* of followers that wait for their first secrets */
    uv_timer_t late;  /* a profile of an agent expires */
    unsigned attempts;
    bool is_degraded;
    bool is_file_broken;     /* the files on disk are refused for their secrets, or for a port that is busy */
    bool is_told;            /* what the start found was logged */
    bool was_awaited;        /* the run in hand had to wait */
    char degraded_text[320]; /* for the status */
};

/* 0 or a fault. */
int activation_open(struct config *self);
void activation_close(struct config *self);

/* The snapshot in force is the first one. */
int activation_start(struct config *self);
/*
 * Brings a snapshot of the files into force (it is empty afterwards), at once when nothing has to be
 * waited for. 0: it is in force, or on its way (activation.why); SNAPSHOT_E_REFUSED: self->issue says
 * why; or a fault.
 */
int activation_take(struct config *self, struct snapshot *fresh, struct actor_ctx *cause);
/* Of what a write would make: `on_judged` is called in any case, maybe before this returns. 0 or a fault. */
int activation_judge(struct config *self, struct snapshot *judged, activation_on_judged on_judged);
/* May a write or the files be looked at now? Ends what can be put off for them. */
bool activation_make_way(struct config *self);
/* The snapshot in force has been exchanged: is it degraded still? Its set is that of `why`. */
void activation_settle(struct config *self, enum activation_why why);
/* The first config has proved itself, so there is a log: tells what it found. */
void activation_tell(struct config *self);
/* Of references that another config has: what is new about them. */
void activation_tell_changed(const struct secret_set *set, const struct secret_set *before);
/* Must a follower of this address wait for its first secrets? Until they are there, or have failed, or the grace is
 * over. */
bool activation_holds(const struct config *self, const char *address);

/* All secrets anew, as soon as nothing else is on the way. 0 or a fault. */
int activation_renew(struct config *self);

int config_on_secrets_reload(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
