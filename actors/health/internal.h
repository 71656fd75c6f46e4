/*
 * internal: health's state, shared by the files of this folder alone.
 */
#ifndef ACTORS_HEALTH_INTERNAL_H
#define ACTORS_HEALTH_INTERNAL_H

#include "actors/health/facts.h"
#include "actors/health/metrics.h"
#include "actors/health/presence.h"
#include "actors/health/report.h"
#include "actors/health/sysinfo.h"
#include "bus/actor.h"

#define HEALTH_ROUND_LEAST_MS 50  /* between two rounds of questions, however much changes */
#define HEALTH_ROUND_MOST_MS 2000 /* old answers are asked anew when somebody wants to know */
#define HEALTH_PATIENCE_MS 30U    /* that a round may delay an answer */

/* What a deferred asker wants once the questions are answered. */
enum health_want {
    HEALTH_WANT_HEALTH,
    HEALTH_WANT_STATUS,
    HEALTH_WANT_STATUS_ADMIN,
    HEALTH_WANT_CHANNELS,
};

struct health_waiter {
    struct actor_token token;
    uint64_t due; /* loop time, ms: then what is known must do */
    enum health_want want;
};

/* One that has not been answered yet. */
struct health_question {
    struct health_question *next;
    char to[FACTS_ADDRESS_MAX];
};

struct health {
    struct facts facts;
    struct facts_verdict verdict;
    struct presence presence;

    /* the snapshot: packed once, shared by every answer until it is out of date */
    struct body health;
    struct body status[2]; /* for readers, for administrators */
    uint64_t packed_at;    /* loop time, ms; 0: never */
    uint64_t digest;
    uint64_t version;

    /* a round of questions to the others */
    uint64_t asked_at; /* loop time, ms */
    uint64_t took_ms;
    struct health_question *questions; /* not answered yet; owned; all but the router's */
    struct health_waiter *waiters;     /* owned */
    size_t waiters_n;
    size_t waiters_cap;

    struct metrics metrics;

    /* load */
    struct sysinfo_use use;
    uint64_t idle_ns;
    double late_ms;

    uv_timer_t minute; /* runs while someone is connected */
    uv_timer_t soon;   /* gathers changes that come together */
    uint64_t soon_due;
    uv_timer_t patience; /* of those who wait for a round */
    uv_timer_t settle;   /* for how long a start may wait for the others */
    uv_timer_t tell;     /* gathers presence events that come together */
    uint64_t told_at;
    size_t told_bytes; /* of that list */

    unsigned open_n;        /* questions of the round under way */
    uint32_t probe_next_ms; /* a probe is wanted as soon as it is over */
    bool wants_roster;
    bool wants_sessions;
    bool wants_channels;
    bool wants_beats;
    bool is_again;         /* something changed while the round was on */
    bool has_process_note; /* why the life of this process before this one was ended */
    bool is_settled;       /* ready */
    bool has_presence;
    bool has_bodies;
    bool has_timers;
};

/* --- ask.c: the questions ------------------------------------------------------------------ */

/* Starts a round, or notes that another is needed after the one under way. With
 * `probe_ms` the channels ask their far sides, and have that long. 0 or a fault. */
int health_ask(struct health *self, struct actor *actor, uint32_t probe_ms);
/* Something that a round would find out has changed: soon, but not at once. */
void health_ask_soon(struct health *self);
/* Answers the call in hand when the round is over, or after `most_ms` with what is known
 * by then. 0 or a fault. */
int health_wait(struct health *self, struct actor_ctx *ctx, enum health_want want, uint32_t most_ms);
/* When the actor stops: nobody will answer any more. */
void health_questions_destroy(struct health *self);
bool health_is_stale(const struct health *self);

/* --- tell.c: what others tell us; health.c: who is told of it ------------------------------- */

int on_system_event(void *arg, struct actor_ctx *ctx, const void *msg);
/* machine.c */
int on_system_info(void *arg, struct actor_ctx *ctx, const void *msg);
/* The presence list changed: its event goes out, soon. 0 or a fault. */
int health_presence_tell(struct health *self, struct actor *actor);

/* --- snapshot.c: the answers --------------------------------------------------------------- */

/* Packs the snapshot anew; publishes it when something worth telling changed, or when
 * `is_due`. 0 or a fault. */
int health_pack(struct health *self, struct actor *actor, bool is_due);
/* The same, when the packed one is older than a second. */
int health_freshen(struct health *self, struct actor *actor);
/* At a start: ready as soon as all is well. */
void health_settle(struct health *self, struct actor *actor);
/* What report.h needs, now. */
struct report_input health_input(struct health *self);

#endif
