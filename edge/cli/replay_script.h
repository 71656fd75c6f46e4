/*
 * replay_script: a recording as something to do: which calls are made, in what order, and
 * what came of each. Pure.
 *
 * A step is a call; or an answer, or what a run came to, that was there at this point of the
 * recording, so that what follows may have been asked because of it.
 */
#ifndef EDGE_CLI_REPLAY_SCRIPT_H
#define EDGE_CLI_REPLAY_SCRIPT_H

#include "bus/schema_table.h"
#include "bus/json.h"
#include "bus/tap_record.h"

enum replay_kind {
    REPLAY_CALL,
    REPLAY_ANSWER,
    REPLAY_EVENT,
};

struct replay_step {
    enum replay_kind kind;
    size_t call;     /* ANSWER: the step of its call */
    bool is_failure; /* ANSWER */
    uint32_t window; /* CALL: of its stream; 0 none */
    char address[ACTOR_ADDRESS_MAX];
    char name[ENVELOPE_NAME_MAX]; /* method or topic */
    struct text_buf about;        /* EVENT: of which run or session */
    struct text_buf body;         /* packed */
    double latency_ms;            /* ANSWER */
    /* What the replay found: */
    bool is_done;             /* CALL: it has been answered */
    struct text_buf replayed; /* CALL: {reply} or {failure}, packed */
    double replayed_ms;       /* CALL: until then */
    uint64_t corr;
    char asker[ACTOR_ADDRESS_MAX]; /* CALL: with `corr` what its answer is known by */
};

struct replay_script {
    const struct schema_registry *registry;
    struct replay_step *steps;
    size_t steps_n;
    size_t steps_cap;
    unsigned calls_n;
    unsigned without_body;              /* calls that were recorded without what they asked */
    unsigned secret;                    /* calls that are left out, as something secret in them is not there */
    char agents[64][ACTOR_ADDRESS_MAX]; /* addresses below agent/ */
    size_t agents_n;
};

/* A record, in the order of time. `is_wanted`: it may be a call of the replay. 0 or -ENOMEM. */
int replay_script_add(struct replay_script *self, const struct tap_record *record, bool is_wanted);
void replay_script_deinit(struct replay_script *self);

/* Is this publication compared? Then the run or session that it is about; else empty. */
struct span replay_script_event(const struct schema_registry *registry, const struct tap_record *record);

#endif
