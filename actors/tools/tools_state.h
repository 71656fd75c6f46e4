/*
 * tools_state: the state of the actor, and one tool that runs. For this folder alone.
 *
 *   tools.c         routes, the catalogue, what a session has
 *   invoke.c        a call comes in: whose session, whether it may, run, answered
 *   run_sessions.c  sessions_list, sessions_history, session_status, agents_list
 *   run_send.c      sessions_send
 *   run_nodes.c     nodes; run_gateway.c gateway
 *   sight.c         which sessions one session may see
 *   catalog.c, policy.c, history.c  pure
 */
#ifndef ACTORS_TOOLS_TOOLS_STATE_H
#define ACTORS_TOOLS_TOOLS_STATE_H

#include "actors/tools/catalog.h"
#include "actors/tools/policy.h"
#include "bus/actor.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/agent_id.h"
#include "schema/base/config_follow.h"
#include "schema_gen.h"

#define TOOLS_OPEN_MAX 1024U /* that run */
#define TOOLS_KEY_MAX 513U   /* of a session, with terminator */
#define TOOLS_ID_MAX 37U

struct lookup;

struct tools {
    struct actor *actor;
    struct lookup *lookups;
    struct invocation *invocations;
    size_t open_n;
    struct config_follow follow;
    bool has_settings;
    struct text_buf bytes; /* copy of the config that `policy` points into */
    struct policy policy;
    struct pack pack;
};

/* The part of a call that does not depend on how it came. Spans are of the invocation's own copy. */
struct invocation_ask {
    struct span name;
    struct span action;
    struct span args; /* packed map; may be empty */
    struct span session_key;
    struct span agent_id;
    struct span key; /* idempotency key */
    struct span channel;
    struct span account_id;
    struct type_client client;
};

/* What happens with an answer; the invocation goes on, or is over by invocation_done or invocation_fail. 0 or a fault.
 */
typedef int (*invocation_next)(struct invocation *self, const struct actor_answer *answer);

struct invocation {
    struct invocation *next;
    struct tools *tools;
    struct actor_token token;
    bool is_rpc;       /* it came by tools.invoke */
    bool is_abandoned; /* whoever asked has gone */
    char *body;        /* owned: the packed request */
    struct invocation_ask ask;
    const struct tool *tool;
    char session_key[TOOLS_KEY_MAX]; /* full */
    char agent_id[AGENT_ID_MAX + 1];
    uint64_t call; /* that is waited for; 0: none */
    invocation_next on_answer;
    int (*on_sight)(struct invocation *self);

    /* of the tool that runs */
    char target[TOOLS_KEY_MAX]; /* session that it is about */
    char run_id[TOOLS_KEY_MAX]; /* of the message that it sends */
    struct pack rows;           /* packed list under construction */
    struct text_buf listed;     /* packed list of what is still to be looked at */
    size_t rows_n;
    size_t row_at;
    const char *command; /* for a node */
};

/* --- invoke.c ----------------------------------------------------------------------------------- */

int on_tools_invoke(void *arg, struct actor_ctx *ctx, const void *msg);
int on_tools_call(void *arg, struct actor_ctx *ctx, const void *msg);
void invocation_free(struct invocation *self);
/* Asks somebody; `next` gets the answer. The deadline 0 is the usual one. 0 or a fault. */
int invocation_ask(struct invocation *self, const char *to, const struct schema_msg *msg, const void *in,
                   uint32_t deadline_ms, invocation_next next);
/* Has the router begin a run, and does not wait for it: `next` is told FAIL_CANCELLED once it is accepted. 0 or a
 * fault. */
int invocation_start(struct invocation *self, const struct schema_msg *msg, const void *in, uint32_t deadline_ms,
                     invocation_next next);
/* It is over, well: `details` is a packed map, shown as JSON as well, or with `text` as that. 0 or a fault. */
int invocation_done(struct invocation *self, struct span details);
int invocation_done_text(struct invocation *self, struct span details, struct span text);
/* It is over: the arguments will not do (400), or somebody failed (500, 503). 0 or a fault. */
int invocation_fail(struct invocation *self, uint32_t status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for what another actor said. */
int invocation_fail_as(struct invocation *self, const struct failure *failure);

/* Arguments: the text without the space around it; the fallback when it is absent or of another kind. */
struct span invocation_text(const struct invocation *self, const char *key);
int64_t invocation_number(const struct invocation *self, const char *key, int64_t fallback);
bool invocation_flag(const struct invocation *self, const char *key);
void tools_uuid(char out[TOOLS_ID_MAX]);

/* --- sight.c -------------------------------------------------------------------------------------- */

/* Why that session may not be looked at, or written to; NULL when it may. */
const char *sight_problem(const struct invocation *self, struct span key, struct span agent_id);
/* The agent in a full key; empty when it is none. */
struct span sight_agent(struct span key);
/* The session that an argument names: `target` is its full key, `next` goes on. Refuses what may not be seen. */
int sight_resolve(struct invocation *self, struct span written, int (*next)(struct invocation *self));

/* --- the tools --------------------------------------------------------------------------------------- */

int run_sessions_list(struct invocation *self);
int run_sessions_history(struct invocation *self);
int run_sessions_send(struct invocation *self);
int run_session_status(struct invocation *self);
int run_agents_list(struct invocation *self);
int run_gateway(struct invocation *self);
int run_nodes(struct invocation *self);

#endif
