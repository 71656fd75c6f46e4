/*
 * facts: what health knows of everyone, as plain values; and whether that is well. Pure.
 */
#ifndef ACTORS_HEALTH_FACTS_H
#define ACTORS_HEALTH_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define FACTS_ACTORS_MAX 1024
#define FACTS_AGENTS_MAX 256
#define FACTS_CHANNELS_MAX 256
#define FACTS_ADDRESS_MAX 128
#define FACTS_WHY_MAX 384

/* The lives of bus/actor.h, in its order; facts stay free of the bus. */
enum facts_life {
    FACTS_LIFE_ABSENT,
    FACTS_LIFE_STARTING,
    FACTS_LIFE_READY,
    FACTS_LIFE_BACKOFF,
    FACTS_LIFE_GAVE_UP,
    FACTS_LIFE_STOPPED,
    FACTS_LIFE_UNRESPONSIVE,
};
const char *facts_life_name(enum facts_life life);

struct facts_actor {
    char address[FACTS_ADDRESS_MAX];
    enum facts_life life;
    int64_t since_ms;        /* wall time of the last change */
    uint32_t restarts_n;     /* crashes seen */
    char why[FACTS_WHY_MAX]; /* what it said of itself, or ended with; empty is well */
};

/* An answer of another actor, kept until the next one; or why there is none. */
struct facts_answer {
    char *bytes; /* owned; NULL: none yet */
    size_t len;
    int64_t at_ms;
    char why[160]; /* empty while the last question was answered */
};

struct facts_agent {
    char id[65];
    bool is_default;
    char name[257];
    struct facts_answer sessions; /* agent_session_rows */
    struct facts_answer state;    /* agent_state */
};

struct facts_channel {
    char address[FACTS_ADDRESS_MAX]; /* channel/<type>[/<account>] */
    struct facts_answer state;       /* channel_state */
};

struct facts {
    struct facts_actor *actors; /* owned, FACTS_ACTORS_MAX */
    size_t actors_n;
    struct facts_agent *agents; /* owned */
    size_t agents_n;
    struct facts_answer beats;      /* scheduler_value */
    struct facts_channel *channels; /* owned, FACTS_CHANNELS_MAX */
    size_t channels_n;
    bool has_roster; /* the router has told its agents at least once */
    char default_agent[65];
    char main_key[513];
    char main_session_key[513];
    bool is_global;
};

struct facts_verdict {
    bool is_ok;
    char why[1024]; /* what is not well, "; "-separated; also when is_ok but degraded */
};

void facts_init(struct facts *self);
void facts_deinit(struct facts *self);

/* The life of `address` is `life` now, and `why` what it says of itself. What ended a life
 * is kept until the next one is ready. True when that changed something. */
bool facts_life_set(struct facts *self, struct span address, enum facts_life life, struct span why, int64_t now_ms);

/* As far as we were told. */
bool facts_is_ready(const struct facts *self, const char *address);

/* Replaces the list of agents (router_agent_list, packed), keeping what is known of those
 * that stay. 0 or -ENOMEM. */
int facts_agents_set(struct facts *self, struct span list);

/* Finds, or makes, the row of a channel. NULL when there are too many. */
struct facts_channel *facts_channel(struct facts *self, struct span address);
void facts_channel_drop(struct facts *self, struct span address);

/* Copies an answer in, or keeps why it failed. */
void facts_answer_set(struct facts_answer *self, struct span bytes, int64_t now_ms);
void facts_answer_fail(struct facts_answer *self, struct span why);
struct span facts_answer_span(const struct facts_answer *self);
/* The settings of an agent's heartbeats, as clients get them; empty while they are not known. */
struct span facts_beat(const struct facts *self, const char *agent_id);
/* The scheduler has told of them, or is not about to. */
bool facts_has_beats(const struct facts *self);

/*
 * Not ok: config, auth, router, any edge or the default agent is not ready, or which one
 * is the default is not known yet. Worth a word
 * only: everything else that is not ready or says something of itself, an agent that cannot write, a channel that is
 * not up, messages whose fate is unknown.
 */
void facts_judge(const struct facts *self, struct facts_verdict *ret_verdict);

#endif
