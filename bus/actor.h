/*
 * actor: what someone who writes an actor needs, and nothing more.
 *
 * An actor is one thread, one loop, one mailbox, one state. Every function below is
 * called from that thread only. Bytes travel, pointers never. Read
 * docs/writing-an-actor.md for a complete example.
 */
#ifndef BUS_ACTOR_H
#define BUS_ACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/span.h"
#include "bus/body.h"
#include "bus/failure.h"
#include "bus/schema_table.h"

#define ACTOR_ADDRESS_MAX 128 /* bytes, with terminator */
#define ACTOR_PRINCIPAL_MAX 64
#define ACTOR_DEADLINE_DEFAULT_MS 30000U

struct actor;     /* the running actor */
struct actor_ctx; /* the message in hand; valid only inside its handler */

/* 16 random bytes, W3C trace-context sized; all zero means none. */
struct trace_id {
    uint64_t hi;
    uint64_t lo;
};

/*
 * Handles one message, decoded into its generated struct (NULL for ACTOR_RAW routes).
 * Returns 0, a FAIL_* code (the asker gets it; for casts it is counted), or a fault,
 * which stops the actor. A call's handler must reply, fail, defer or forward before it
 * returns 0; the runtime answers FAIL_INTERNAL for one that did not.
 */
typedef int (*actor_handler)(void *self, struct actor_ctx *ctx, const void *msg);

enum {
    ACTOR_RAW = 1U << 0, /* do not decode: the handler reads actor_ctx_body() */
};

struct actor_route {
    const struct schema_msg *msg;
    actor_handler on;
    unsigned flags;
};

struct actor_gap {
    struct span from; /* whose events */
    const struct schema_msg *topic;
    uint64_t lost;    /* those that nobody may lose: what they said must be fetched or shown as missing */
    uint64_t dropped; /* those that the schema calls droppable */
};

struct actor_def {
    const char *name;
    size_t state_size;
    const struct actor_route *routes; /* calls and casts it accepts */
    size_t routes_n;
    const struct actor_route *topics; /* topics it is subscribed to from the start */
    size_t topics_n;
    /* `state` is zeroed. `arg` is the text that the spawner gave ("" when none). */
    int (*init)(void *state, struct actor *actor, const char *arg);
    /* Copes with a half-finished init. Must close every handle it put on the loop; the
     * runtime runs the loop until they are closed. */
    void (*deinit)(void *state, struct actor *actor);
    /* A deferred call was cancelled, timed out at the asker, or its asker died: stop
     * working for it. `cookie` is what actor_defer was given. May be NULL. The token is
     * void afterwards. */
    void (*on_cancel)(void *state, struct actor *actor, void *cookie);
    /* The asker granted more credit to the stream behind a deferred call. May be NULL. */
    void (*on_credit)(void *state, struct actor *actor, void *cookie);
    /* Events it is subscribed to were left out, as it (or a link to it) was full. Told in
     * the place where they are missing, between the events before and those after. May be
     * NULL; the counters of `bus actors` show them all the same. */
    void (*on_gap)(void *state, struct actor *actor, const struct actor_gap *gap);
    /* Asked to stop: finish what must be finished, then call actor_stop(). NULL stops at
     * once. The supervisor ends the wait after `stop_ms`. */
    void (*on_stop)(void *state, struct actor *actor);
    unsigned stop_ms;      /* 0: 2000 */
    bool is_ready_late;    /* ready only after actor_ready(), not after init */
    bool is_awaited;       /* at a host's start, those after it in its list wait until it is ready */
    uint32_t mailbox_msgs; /* 0: 65536 */
    size_t mailbox_bytes;  /* 0: 64 MiB */
};

/* --- the actor itself ---------------------------------------------------------- */

const char *actor_address(const struct actor *self);
/* The address of the node of this process, which answers bus.actors (bus/wire.h). */
const char *actor_node(const struct actor *self);
void *actor_state(const struct actor *self);
uv_loop_t *actor_loop(struct actor *self);
/* The actor whose thread this is; NULL outside actors. */
struct actor *actor_current(void);
/* Number of this life, greater than that of any life before it at this address: the starts
 * of its process above bit 16 and its own starts in that process below, both from 1. */
uint32_t actor_incarnation(const struct actor *self);

/* Why the supervisor ended the life of this process before this one, such as that it hung; "" when it did not, or that
 * is long ago. */
const char *actor_process_end(const struct actor *self);

/* It serves now (see is_ready_late). */
void actor_ready(struct actor *self);
/* It degrades or recovers; shown in `bus actors` and health. "" is well. */
void actor_status(struct actor *self, const char *text);
/* Inside on_stop and after it: is it, or its whole process, to be started again? */
bool actor_is_restarting(const struct actor *self);
/* Ends the loop after the message in hand; orderly. */
void actor_stop(struct actor *self);
/* Another piece of work of a callback of the loop outside any handler, such as input of one connection: by this it is
 * seen to go on, and the time that one takes is watched. */
void actor_work_begin(struct actor *self);
void actor_work_end(struct actor *self);
/* Ends it because of a fault met in a callback of the loop. Returns the fault. */
int actor_fault(struct actor *self, int fault);

/* --- the message in hand ---------------------------------------------------------- */

struct actor *actor_ctx_actor(struct actor_ctx *ctx);
struct span actor_ctx_from(const struct actor_ctx *ctx);
/* On whose behalf: set by the edge from auth's decision, inherited by what follows. */
struct span actor_ctx_principal(const struct actor_ctx *ctx);
struct trace_id actor_ctx_trace(const struct actor_ctx *ctx);
/* Milliseconds left before the asker gives up; UINT32_MAX for no deadline. */
uint32_t actor_ctx_left_ms(const struct actor_ctx *ctx);
const struct schema_msg *actor_ctx_msg(const struct actor_ctx *ctx);
/* The packed body, borrowed. */
struct span actor_ctx_body(const struct actor_ctx *ctx);
/* The same as something that can be shared onward. */
const struct body *actor_ctx_body_shared(const struct actor_ctx *ctx);

/* --- answering --------------------------------------------------------------------- */

/* Answers the call in hand. `msg` describes the struct `out`. On a cast: does nothing. */
int actor_reply(struct actor_ctx *ctx, const struct schema_msg *msg, const void *out);
/* Answers with bytes that are already packed. */
int actor_reply_span(struct actor_ctx *ctx, struct span bytes);
int actor_reply_body(struct actor_ctx *ctx, const struct body *body);
/* Keeps a text for the failure that the handler is about to return; returns `code`. */
int actor_fail(struct actor_ctx *ctx, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with everything said. Texts are copied. */
int actor_fail_with(struct actor_ctx *ctx, const struct failure *failure);

/*
 * Hands the call on: `to` answers the original asker directly, under the same deadline
 * and trace. With `msg` NULL method and body go on unchanged, else `out` replaces them.
 */
int actor_forward(struct actor_ctx *ctx, const char *to, const struct schema_msg *msg, const void *out);

/* A call to be answered later. Zero is "none". Void after it was answered or cancelled:
 * using it then does nothing. What is open when the actor stops fails as UNAVAILABLE. */
struct actor_token {
    uint64_t id;
};
struct actor_token actor_defer(struct actor_ctx *ctx, void *cookie);
/* Inside on_cancel: it is because the asker has ended, rather than given up. */
bool actor_asker_is_gone(const struct actor *self);
int actor_token_reply(struct actor *self, struct actor_token token, const struct schema_msg *msg, const void *out);
int actor_token_reply_span(struct actor *self, struct actor_token token, struct span bytes);
int actor_token_fail(struct actor *self, struct actor_token token, const struct failure *failure);
/* Text for code alone. */
int actor_token_fail_text(struct actor *self, struct actor_token token, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* --- streaming answers -------------------------------------------------------------- */

enum {
    ACTOR_E_NO_CREDIT = 1, /* try again from on_credit; nothing was sent */
    ACTOR_E_CLOSED = 2,    /* the token is void */
};
/* Sends one chunk ahead of the final reply. The asker must have asked with a window. A
 * chunk is accepted whenever any credit is left, so it may overdraw once. */
int actor_stream_send(struct actor *self, struct actor_token token, const struct schema_msg *msg, const void *out);
/* Bytes of credit left (negative when overdrawn); 0 when void. */
int64_t actor_stream_credit(struct actor *self, struct actor_token token);

/* --- asking --------------------------------------------------------------------------- */

/* What came of a call. Everything borrowed until the callback returns. */
struct actor_answer {
    const struct failure *failure; /* NULL when it went well */
    const void *msg;               /* decoded reply when the call's schema names one */
    struct span body;              /* packed reply */
    const struct body *body_shared;
    struct span from; /* who answered */
};
/* Called exactly once per call, from the loop, never from inside actor_call. Not called
 * when the asking actor itself stops first. */
typedef void (*actor_on_answer)(void *self, struct actor *actor, void *cookie, const struct actor_answer *answer);
/* `msg` is decoded when the chunk's name is in the registry. */
typedef void (*actor_on_chunk)(void *self, struct actor *actor, void *cookie, const struct schema_msg *schema,
                               const void *msg, struct span body);

struct actor_call {
    const char *to;
    const struct schema_msg *msg;
    const void *in;                /* struct of msg->type; or NULL and `body` */
    struct span body;              /* packed, when in is NULL */
    uint32_t deadline_ms;          /* 0: what the cause has left, else ACTOR_DEADLINE_DEFAULT_MS; UINT32_MAX: none */
    const struct actor_ctx *cause; /* trace, principal and deadline are inherited; or NULL */
    struct trace_id trace;         /* without a cause; zero makes a new one */
    struct span principal;         /* without a cause */
    actor_on_answer on_answer;     /* required */
    actor_on_chunk on_chunk;       /* with a window */
    uint32_t window_bytes;         /* >0: a streaming call with so much credit at first */
    void *cookie;
};
/* Returns 0 (the answer will come, also when `to` is absent or full) or a fault.
 * `ret_id` (may be NULL) serves cancel and grant. */
int actor_call(struct actor *self, const struct actor_call *call, uint64_t *ret_id);
/* on_answer is called with FAIL_CANCELLED, later, from the loop; the receiver is told. */
void actor_call_cancel(struct actor *self, uint64_t id);
/* The same with FAIL_UNAVAILABLE and that text: for whom the answer still goes on to somebody else. */
void actor_call_give_up(struct actor *self, uint64_t id, const char *text);
/* Returns credit to a streaming call. */
void actor_call_grant(struct actor *self, uint64_t id, uint32_t bytes);

/* Sends and forgets. What cannot be delivered becomes a dead letter. 0 or a fault. */
int actor_cast(struct actor *self, const char *to, const struct schema_msg *msg, const void *in,
               const struct actor_ctx *cause);
int actor_cast_span(struct actor *self, const char *to, const struct schema_msg *msg, struct span body,
                    const struct actor_ctx *cause);

/* Between the two, what is sent to actors of this process leaves together, so that each of them is woken once for all
 * of it, and none sees any of it before. For work of many sends at the end of a turn of the loop. */
void actor_cork(struct actor *self);
void actor_uncork(struct actor *self);

/* --- topics ------------------------------------------------------------------------- */

/* Packed once, shared by all subscribers, which hear of it in the order of publishing. A
 * subscriber that is too slow misses a droppable one at once; others wait for it, up to 8
 * MiB, and what it misses beyond that is told to it: see on_gap. */
int actor_publish(struct actor *self, const struct schema_msg *topic, const void *in, const struct actor_ctx *cause);
int actor_publish_span(struct actor *self, const struct schema_msg *topic, struct span body,
                       const struct actor_ctx *cause);
/* The same for what comes of a message that was handled long ago. */
int actor_publish_traced(struct actor *self, const struct schema_msg *topic, struct span body, struct trace_id trace);
/* From when the publishers have heard of it, which calls behind it wait for. In `init`:
 * before they hear that this actor is ready. */
int actor_subscribe(struct actor *self, const struct actor_route *route);
int actor_unsubscribe(struct actor *self, const struct schema_msg *topic);
/* How many are subscribed; SIZE_MAX as long as this is not known yet, which asking begins to find out. */
size_t actor_subscribers(struct actor *self, const struct schema_msg *topic);

/* --- other actors ---------------------------------------------------------------------- */

enum actor_life {
    ACTOR_LIFE_ABSENT,
    ACTOR_LIFE_STARTING,
    ACTOR_LIFE_READY,
    ACTOR_LIFE_BACKOFF, /* crashed; will be started again */
    ACTOR_LIFE_GAVE_UP, /* crashed too often; an operator must act */
    ACTOR_LIFE_STOPPED,
    ACTOR_LIFE_UNRESPONSIVE, /* hangs, or its process does: it goes on, or will be started again */
};
const char *actor_life_name(enum actor_life life);

/* Calls `on` now and whenever the life of a matching address changes ("agent/" + "*"
 * matches by prefix). One watch per pattern. */
typedef void (*actor_on_life)(void *self, struct actor *actor, struct span address, enum actor_life life);
int actor_watch(struct actor *self, const char *pattern, actor_on_life on);
/* Inside such a call: what that actor said of itself last, or what it ended with. May be empty. */
struct span actor_life_status(const struct actor *self);

/* Asks the supervisor to run (or stop) an actor of definition `def` at `address`, on the
 * host that the topology gives it. Idempotent; a changed `arg` restarts it. */
int actor_spawn(struct actor *self, const char *address, const char *def, const char *arg);
int actor_despawn(struct actor *self, const char *address);
/* Asks the supervisor to restart one actor (operator action). */
int actor_restart(struct actor *self, const char *address);

#endif
