/*
 * gather: one question to several agents, and what came of each.
 *
 * A gather lives until every agent has answered or failed, also when the asker gave up
 * meanwhile; calls always end, so it does too. What it needs of the request it copies.
 */
#ifndef ACTORS_ROUTER_GATHER_H
#define ACTORS_ROUTER_GATHER_H

#include "actors/router/session_key.h"
#include "bus/actor.h"

#define GATHER_ASK_MS 5000U /* a hung agent delays a list this long at most */

struct gather;

struct gather_part {
    struct gather *gather;
    char agent[SESSION_KEY_AGENT_MAX + 1];
    uint64_t call;
    bool has_answer;
    struct body body; /* when has_answer */
    int code;         /* FAIL_* otherwise */
    char why[160];
};

/* All parts are in. Unless it sets is_kept, the gather is destroyed when it returns. */
typedef void (*gather_done)(void *self, struct actor *actor, struct gather *gather);

struct gather {
    struct gather *next; /* in the owner's list */
    struct gather **head;
    struct actor_token token; /* of the call to answer */
    struct body request;      /* its body, shared */
    struct trace_id trace;
    char principal[ACTOR_PRINCIPAL_MAX];
    uint64_t deadline_ms; /* on the monotonic clock; UINT64_MAX: none */
    gather_done done;
    bool is_kept; /* set by `done`: it goes on with late_call and destroys the gather itself */
    uint64_t late_call;
    size_t parts_n;
    size_t open_n;
    struct gather_part parts[];
};

/*
 * Defers the call in hand and makes room for `parts_n` questions; the new gather is
 * linked into `head` and is the cookie of the deferred call. 0 or a fault.
 */
int gather_new(struct actor_ctx *ctx, struct gather **head, size_t parts_n, gather_done done,
               struct gather **ret_gather);
/* Asks agent/<agent> as part `at`. Exactly one of `in` and `body` is given. 0 or a fault. */
int gather_ask(struct gather *self, struct actor *actor, size_t at, const char *agent, const struct schema_msg *msg,
               const void *in, struct span body, const struct actor_ctx *cause);
/* The asker is gone: stop the agents working for it. */
void gather_cancel(struct gather *self, struct actor *actor);
/* Nothing had to be asked: calls `done` now. */
void gather_finish(struct gather *self, void *owner, struct actor *actor);
void gather_destroy(struct gather *self);
/* Milliseconds left of the asker's deadline, at least 1; UINT32_MAX for none. */
uint32_t gather_left_ms(const struct gather *self);
/* Destroys every gather of the list (the actor stops). */
void gather_destroy_all(struct gather **head);

#endif
