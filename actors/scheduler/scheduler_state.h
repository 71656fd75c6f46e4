/*
 * scheduler_state: the state of the scheduler and what its parts do with it. For this
 * folder alone.
 *
 *   setup.c    the configuration
 *   beat.c     the heartbeats of one agent: due, asked for, over
 *   deliver.c  what an answer means, and to whom it goes
 *   tell.c     events, and the methods of clients
 *   records.c  what lasts
 *   settings.c, plan.c, hours.c, zone.c  pure
 */
#ifndef ACTORS_SCHEDULER_SCHEDULER_STATE_H
#define ACTORS_SCHEDULER_SCHEDULER_STATE_H

#include "actors/scheduler/alarm.h"
#include "actors/scheduler/plan.h"
#include "actors/scheduler/settings.h"
#include "bus/actor.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/config_follow.h"
#include "schema/base/shelf.h"

#define SCHEDULER_WAKES_MAX 8 /* that wait for one agent, each for another session */
#define SCHEDULER_CHANNELS_MAX 256
#define SCHEDULER_SESSION_MAX 513
#define SCHEDULER_UUID_MAX 37

/* Records of the shelf. */
enum {
    KIND_STATE = 1, /* one each: "seed", "off", "last" */
    KIND_AGENT = 2, /* by agent; struct lasting */
};

enum beat_phase {
    BEAT_IDLE,
    BEAT_WAITING,    /* it has begun, and its agent cannot be asked now */
    BEAT_ASKING,     /* its agent has it */
    BEAT_DELIVERING, /* a channel has what it said */
};

/* A heartbeat that has begun and is not over. */
struct beat_run {
    char id[SCHEDULER_UUID_MAX]; /* "": none */
    char session[SCHEDULER_SESSION_MAX];
    bool is_wake;
    int64_t started_ms;
    uint32_t attempts_n;
};

/* What the database knows of an agent. */
struct lasting {
    int64_t due_ms; /* of the next one; 0: none */
    struct plan_starts starts;
    struct beat_run run;
    char *wakes[SCHEDULER_WAKES_MAX]; /* sessions to run in; "" is the usual one; owned */
    size_t wakes_n;
    int64_t sent_ms;      /* when people were last told something … */
    struct text_buf sent; /* … and what */
    struct pack tasks;    /* when each task of HEARTBEAT.md was last done; one map */
};

struct beat {
    struct beat *next;         /* in the order of the config */
    struct beat_settings *set; /* in settings; NULL: not configured any more */
    char agent_id[AGENT_ID_MAX + 1];
    struct plan plan;
    struct zone zone;
    struct lasting kept;
    enum beat_phase phase;
    int64_t wake_ms;        /* when the wakes are due: what comes together is one */
    int64_t retry_ms;       /* of BEAT_WAITING; 0: when its agent is ready */
    struct pack tasks_done; /* names; of the answer that is being dealt with */
    struct text_buf text;   /* what is being delivered */
    char channel[65];
    char account[65];
    struct visibility seen;
};

struct agent_life {
    char id[AGENT_ID_MAX + 1];
    enum actor_life life;
};

struct scheduler {
    struct actor *actor;
    struct shelf *shelf;
    struct alarm alarm;
    struct settings settings;
    struct zone user_zone;
    struct beat *beats;
    uint64_t seed;
    bool is_off; /* an operator turned heartbeats off */

    struct agent_life lives[SETTINGS_AGENTS_MAX];
    size_t lives_n;
    bool is_router_ready;
    char channels[SCHEDULER_CHANNELS_MAX][ACTOR_ADDRESS_MAX]; /* ready ones */
    size_t channels_n;

    struct config_follow follow;
    bool has_settings;
    bool is_watching;

    struct pack pack;
    struct pack record;
};

/* --- setup.c ------------------------------------------------------------------------------ */

/* Follows the config. 0 or a fault. */
int setup_open(struct scheduler *self);
void setup_close(struct scheduler *self);
int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg);

/* --- beat.c ----------------------------------------------------------------------------------- */

struct beat *beat_find(struct scheduler *self, struct span agent_id);
/* Begins what is due, and sets the alarm for what is due next. 0 or a fault. */
int beats_pump(struct scheduler *self);
/* The clock was set or the settings changed: due times that do not hold any more are made anew. 0 or a fault. */
int beats_review(struct scheduler *self);
/* It shall run soon, in that session ("" is its own). Lasting once 0 was returned; else SHELF_E_DISK or a fault. */
int beat_wake(struct scheduler *self, struct beat *beat, struct span session);
/* It is over; all that lasts of it is in `kept`. 0 or a fault. */
int beat_over(struct scheduler *self, struct beat *beat);
/* An agent began or ended to be there. 0 or a fault. */
int beats_agent_life(struct scheduler *self, struct span agent_id, enum actor_life life);
int beats_router_life(struct scheduler *self, enum actor_life life);
/* An orderly stop is no attempt. */
void beats_park(struct scheduler *self);
void beat_free(struct beat **beat_p);

/* --- deliver.c --------------------------------------------------------------------------------- */

/* What the agent answered. 0 or a fault. */
int deliver_answer(struct scheduler *self, struct beat *beat, const struct actor_answer *answer);
void deliver_channel_life(struct scheduler *self, struct span address, enum actor_life life);
/* Whether anything of its heartbeats would be seen. */
bool deliver_is_hidden(const struct scheduler *self, const struct beat *beat);

/* --- tell.c ---------------------------------------------------------------------------------------- */

struct beat_event {
    const char *status;
    struct span reason;  /* empty: none */
    struct span preview; /* cut to what fits; empty: none */
    int64_t started_ms;
    struct span channel; /* empty: none */
    struct span account;
    struct span to;
    const char *indicator; /* NULL: none */
    bool has_silent;
    bool is_silent;
    bool has_media_flag; /* the key hasMedia, which is always false */
};
/* Publishes it and keeps it as the newest. 0 or a fault. */
int tell_event(struct scheduler *self, const struct beat *beat, const struct beat_event *event);
int tell_changed(struct scheduler *self);
int on_wake(void *arg, struct actor_ctx *ctx, const void *msg);
int on_scheduler_wake(void *arg, struct actor_ctx *ctx, const void *msg);
int on_set_heartbeats(void *arg, struct actor_ctx *ctx, const void *msg);
int on_last_heartbeat(void *arg, struct actor_ctx *ctx, const void *msg);
int on_scheduler_read(void *arg, struct actor_ctx *ctx, const void *msg);

/* --- records.c --------------------------------------------------------------------------------------- */

/* Opens the database and reads what is not of an agent. 0 or a fault. */
int records_open(struct scheduler *self);
/* What is known of an agent, or nothing. */
void lasting_load(struct scheduler *self, const char *agent_id, struct lasting *kept);
/* 0, SHELF_E_DISK or a fault. */
int lasting_save(struct scheduler *self, const struct beat *beat);
int lasting_drop(struct scheduler *self, const char *agent_id);
void lasting_free(struct lasting *kept);
/* Drops the records of agents that are not configured. 0 or a fault. */
int records_prune(struct scheduler *self);
/* 0, SHELF_E_DISK or a fault. */
int records_switch(struct scheduler *self, bool is_off);
int records_last_put(struct scheduler *self, struct span event);
/* The newest event; empty when there was none. */
struct span records_last(const struct scheduler *self);

#endif
