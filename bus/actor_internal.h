/*
 * actor_internal: the running actor as its own parts see it. Only bus/ includes this.
 */
#ifndef BUS_ACTOR_INTERNAL_H
#define BUS_ACTOR_INTERNAL_H

#include <czmq.h>
#include <stdatomic.h>
#include <uv.h>

#include "bus/actor.h"
#include "bus/envelope.h"
#include "bus/frame.h"
#include "bus/mailbox.h"
#include "bus/outbox.h"
#include "bus/pack.h"
#include "bus/park.h"
#include "bus/pulse.h"
#include "bus/route.h"
#include "bus/tap.h"
#include "bus/wheel.h"

#define LINK_ENDPOINT_MAX 160
#define LINK_WHERE_MAX 128
#define LINK_REASON_MAX (ACTOR_ADDRESS_MAX + LINK_WHERE_MAX + 96) /* see link_explain */
#define LINK_WINDOW_BYTES ((int64_t)8 * 1024 * 1024)
#define LINK_WINDOW_MSGS 16384
#define LINK_PARKED_MSGS 4096
#define LINK_PARKED_BYTES ((size_t)8 * 1024 * 1024)
#define ACTOR_BATCH 64              /* mails handled before other handles of the loop get a turn */
#define ACTOR_BATCH_NS 1000000U     /* or fewer, when they take longer than this */
#define PROCESS_END_NEWS_MS 600000U /* so long it is told why the supervisor ended a process */
#define ACTOR_BODY_MAX ((size_t)64 * 1024 * 1024)

/* Counters of one actor's life so far; written by its thread, read by its host. */
struct actor_stats {
    _Atomic uint32_t mailbox_msgs;
    _Atomic uint64_t mailbox_bytes;
    _Atomic uint64_t msgs_in;
    _Atomic uint64_t msgs_out;
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t bytes_out;
    _Atomic uint64_t dead_letters;
    _Atomic uint64_t refused;
    _Atomic uint64_t events_lost;    /* publications this actor should have had and missed */
    _Atomic uint64_t events_dropped; /* droppable ones */
    _Atomic uint32_t calls_open;
    _Atomic uint64_t handled;   /* messages */
    _Atomic uint64_t waited_ns; /* all of them together, from their arrival to their handler */
    _Atomic uint64_t busy_ns;   /* in their handlers */
};

/* --- links: one per peer this actor knows ------------------------------------------ */

enum link_state {
    LINK_UNKNOWN,   /* never asked for */
    LINK_RESOLVING, /* the node was asked; what is sent waits */
    LINK_UP,
    LINK_DOWN, /* the directory says that nobody is there now */
};

struct link {
    struct link *hash_next;
    char address[ACTOR_ADDRESS_MAX];
    uint8_t len;
    uint8_t state; /* enum link_state */
    bool is_fixed; /* a node: its endpoint is known without asking */
    enum actor_life life;
    uint32_t incarnation;       /* of the peer's life that `push` leads to */
    uint32_t least_incarnation; /* it has spoken to us in this life, whatever the directory knows so far */
    uint32_t retry_after_ms;
    zsock_t *push;
    void *push_raw;
    char endpoint[LINK_ENDPOINT_MAX];
    struct link *corked_next; /* among those with a message that waits for the cork to be drawn */
    zmq_msg_t corked[2];
    bool has_corked;
    int64_t credit_bytes; /* what we may still send */
    int64_t credit_msgs;
    uint64_t sent_bytes; /* since it is known */
    uint64_t sent_msgs;
    uint32_t held_incarnation; /* of the peer's life that the two counts below belong to */
    int64_t held_bytes;        /* received, and not handled yet */
    int64_t held_msgs;
    uint32_t heard_incarnation; /* of the peer's life that the two counts below belong to */
    int64_t owed_bytes;         /* credit to give back */
    int64_t owed_msgs;
    struct mailbox_lane lane;   /* received, and not handled yet */
    struct park park;           /* waits for the peer's address, or events for credit */
    struct call_slot *calls;    /* ours, which this peer must answer */
    struct serve_slot *serves;  /* this peer's, which we must answer */
    char where[LINK_WHERE_MAX]; /* "host NAME", and when that is known ": " and why nobody is there; empty: unknown */
};

/* It is there, and hangs: nothing is asked of it meanwhile. */
static inline bool link_is_silent(const struct link *link)
{
    return link->state == LINK_UP && link->life == ACTOR_LIFE_UNRESPONSIVE;
}

struct link *link_get(struct actor *self, struct span address);
struct link *link_find(struct actor *self, struct span address);
/* The directory says on which host it is, and how it is. */
void link_place(struct link *link, struct span host, struct span status);
/* Why something for it failed, for people: who, why and, when that is elsewhere, where. */
void link_explain(const struct actor *self, const struct link *link, const char *why, char *out, size_t cap);
/* Sends; takes the body always. What cannot be delivered is dealt with (call failed,
 * dead letter). Returns 0 or a fault of our own. */
int link_send(struct actor *self, struct link *link, struct envelope *env, zmq_msg_t *body);
/* Sends what waited in the outbox; takes the content of both frames. */
void link_send_held(struct actor *self, struct link *link, zmq_msg_t *header, zmq_msg_t *body);
/* The same for a publication: without credit it waits. What finds no room, and what is
 * droppable, becomes a gap of which the subscriber hears when its turn comes. */
int link_publish(struct actor *self, struct link *link, struct envelope *env, zmq_msg_t *body, bool is_droppable);
/* Tells of events that were not even tried. */
void link_gap(struct actor *self, struct link *link, struct span topic, uint64_t lost, uint64_t dropped);
/* The peer has worked and gives credit back. */
void link_on_credit(struct actor *self, struct mail *mail);
/* What was held back goes. */
void link_uncork(struct actor *self);
/* The directory's word about the peer. An empty endpoint means nobody is there. */
void link_apply(struct actor *self, struct link *link, struct span endpoint, uint32_t incarnation, enum actor_life life,
                uint32_t retry_after_ms);
/* The peer speaks in this life. When that is news, what we send waits for the directory's word. */
void link_hear(struct actor *self, struct link *link, uint32_t incarnation);
/* Counts one handled mail; gives credit back in halves of a window. */
void link_account(struct actor *self, struct link *link, uint32_t incarnation, size_t bytes);
/* At the end: what still waits for this peer. Events become gaps, of which it is told. */
void link_abandon(struct actor *self, struct link *link);
void link_close_all(struct actor *self);
/* Whom this actor talks to: appends {address, links, topics}; see wire_links. */
void link_tell_pack(struct actor *self, struct pack *out);
void link_tell_answer(struct actor *self, const struct mail *mail);

/* --- calls we made --------------------------------------------------------------------- */

struct call_slot {
    struct wheel_entry due;
    uint64_t id; /* generation << 32 | index; 0 free */
    struct link *target;
    uint32_t target_incarnation; /* 0: not known */
    struct link *via;            /* who handed it on to `target`; NULL: nobody did */
    struct call_slot *prev;
    struct call_slot *next; /* calls of one target, or free slots */
    struct call_slot *ended_next;
    const struct schema_msg *msg;
    actor_on_answer on_answer;
    actor_on_chunk on_chunk;
    void *cookie;
    int ended_code; /* a failure to be told from the loop */
    uint32_t ended_retry_ms;
    char ended_text[LINK_REASON_MAX];
};

/* Ends a call by a failure, told later from the loop. Unknown ids are ignored. */
void call_fail_later(struct actor *self, uint64_t id, int code, uint32_t retry_after_ms, const char *text);
/* Is somebody still waiting for its end? */
bool call_is_open(struct actor *self, uint64_t id);
void call_on_envelope(struct actor *self, struct mail *mail);
void call_on_link_down(struct actor *self, struct link *link);
/* The peer hangs: calls to it end, and it is told so for when it goes on. */
void call_on_link_silent(struct actor *self, struct link *link);
/* Ends calls that an earlier life of the peer had taken. */
void call_on_link_life(struct actor *self, struct link *link);
/* Tells what ended; true when there was something. */
bool call_run_ended(struct actor *self);
void call_run_due(struct actor *self);
void call_free_all(struct actor *self);

/* --- calls we must answer ------------------------------------------------------------------ */

#define SERVE_BUCKETS 256

struct serve_slot {
    uint64_t id; /* generation << 32 | index; 0 free */
    uint32_t index;
    uint64_t corr;
    struct link *asker;
    uint32_t asker_incarnation; /* 0: not known */
    struct serve_slot *prev;
    struct serve_slot *next; /* of one asker, or free slots */
    struct serve_slot *bucket_next;
    struct trace_id trace;
    int64_t credit;
    bool is_stream;
    bool is_credit_wanted;
    const struct schema_msg *msg;
    void *cookie;
};

void serve_on_envelope(struct actor *self, struct mail *mail);
void serve_on_link_down(struct actor *self, struct link *link);
/* Cancels what an earlier life of the peer had asked. */
void serve_on_link_life(struct actor *self, struct link *link);
void serve_fail_all(struct actor *self);
/* Answers a call that has no slot yet. Takes the body. */
int serve_answer(struct actor *self, const struct mail *mail, enum envelope_kind kind, zmq_msg_t *body);
int serve_fail(struct actor *self, const struct mail *mail, const struct failure *failure);
/* Fails a call that we could not hand on, back to whoever asked first. */
void serve_fail_forwarded(struct actor *self, const struct envelope *env, const struct failure *failure);

/* --- topics ----------------------------------------------------------------------------------- */

struct topic_pub {
    struct topic_pub *next;
    char name[ENVELOPE_NAME_MAX];
    uint8_t len;
    bool is_known;
    struct link **subscribers;
    size_t subscribers_n;
};

/* Some events did not come: a publisher says so in a word of its own. */
void topic_on_gap(struct actor *self, const struct mail *mail);
/* There is no room for this publication in our mailbox: it becomes such a word, which is
 * always admitted and still pays for the whole. False when memory is short. */
bool topic_mail_to_gap(struct actor *self, struct mail *mail);
void topic_on_subscribers(struct actor *self, struct span body);
/* A call is to be sent behind a subscription: it and what follows wait for the publishers. */
void topic_settle(struct actor *self);
/* At the end: calls are over, so nothing waits for publishers any more. */
void topic_settle_end(struct actor *self);
/* At the end: nothing waits for the node's word any more. */
void topic_abandon(struct actor *self);
void topic_free_all(struct actor *self);
/* False also while the node has not answered yet. */
bool topic_has_subscribers(struct actor *self, const struct schema_msg *topic);

/* --- the actor ---------------------------------------------------------------------------------- */

struct watch {
    struct watch *next;
    char pattern[ACTOR_ADDRESS_MAX];
    actor_on_life on;
};

struct actor_ctx {
    struct actor *actor;
    struct mail *mail;
    const struct schema_msg *msg;
    bool is_answered;
    bool has_failure;
    struct failure failure;
    char failure_text[FAILURE_MESSAGE_MAX];
    struct pack details;
};

/* How an actor is started; texts are copied. */
struct actor_opts {
    const struct actor_def *def;
    const char *address;
    const char *arg;
    uint32_t incarnation;
    const char *host;          /* for the tap */
    const char *node_address;  /* "host/<name>" or "supervisor"; its own address for a node */
    const char *node_endpoint; /* NULL for a node */
    const char *run_dir; /* of the gateway, where other processes can reach a socket; or NULL. Outlives the actor */
    const char *endpoints[2]; /* to bind; NULL-ended when one */
    const struct schema_registry *registry;
    struct actor_stats *stats; /* outlives the actor */
    struct pulse *pulse;       /* the same; NULL: nobody watches */
    const char *process_end;   /* see actor_process_end; the same; NULL: not */
    uint64_t process_start_ms; /* CLOCK_MONOTONIC */
    /* A node resolves from its own directory instead of asking. */
    void (*resolve)(struct actor *self, struct link *link);
    bool (*subscribers)(struct actor *self, const char *topic);
};

struct actor {
    struct actor_opts opts;
    const struct actor_def *def;
    char address[ACTOR_ADDRESS_MAX];
    char host[32];
    char node_address[ACTOR_ADDRESS_MAX];
    void *state;
    uv_loop_t *loop;
    uv_loop_t own_loop;
    zsock_t *pull;
    void *pull_raw;
    uv_poll_t poll;
    uv_idle_t work;
    uv_prepare_t rest; /* with a pulse alone */
    uv_timer_t timer;
    uint64_t timer_at_ms; /* loop time the timer is set for; UINT64_MAX when off */
    int handles_open;
    struct mailbox mailbox;
    struct link *links[256];
    struct link *node;
    struct link *corked; /* those with a message that waits for the cork to be drawn */
    bool is_corked;
    struct route_table routes;
    struct route_table topics;
    struct topic_pub *pubs;
    struct outbox outbox; /* events whose subscribers are not known yet, and what was sent behind them */
    bool is_unsettled;    /* it has subscribed, and the next call is to wait until publishers know */
    uint64_t barrier;     /* number of the newest one in the outbox */
    uint64_t lifted;      /* up to this number they hold nothing up */
    struct watch *watches;
    struct wheel wheel;
    struct call_slot **call_chunks;
    uint32_t call_chunks_n;
    uint32_t calls_open;
    struct call_slot *call_free;
    struct call_slot *ended;
    struct call_slot **ended_tail;
    uint32_t call_generation;
    struct serve_slot **serve_slots;
    uint32_t serve_slots_n;
    struct serve_slot *serve_free;
    struct serve_slot *serve_buckets[SERVE_BUCKETS];
    uint32_t serve_generation;
    struct pack scratch;
    void *in_buf; /* decoded message in hand */
    size_t in_cap;
    void *answer_buf; /* decoded answer or chunk */
    size_t answer_cap;
    struct tap_port tap;
    uint64_t next_id;
    uint64_t random[2];
    uint64_t dead_logged_ms;
    uint32_t dead_unlogged;
    uint64_t blame_told_ms; /* loop time; 0: never */
    uint32_t blame_untold;  /* what was refused since then */
    int fault;
    bool is_init;
    bool is_stopping;        /* the loop is to end */
    bool is_asker_gone;      /* on_cancel is on the stack, because a peer has ended */
    struct span life_status; /* of the one whose life is being told */
    bool is_restarting;      /* told to stop, to be started again */
    bool is_ready;
    bool has_status; /* it has said how it fares */
};

/* Starts on a given loop (embedded) or on its own; then actor_serve runs its own loop. */
int actor_open(struct actor *self, uv_loop_t *loop, const struct actor_opts *opts);
/* Runs the own loop until the actor stops. */
void actor_serve(struct actor *self);
/* Fails what is open, closes everything. An embedded actor's loop must run until
 * handles_open is 0. */
void actor_close(struct actor *self);

/* Its endpoints' files may be gone: makes those that are again. */
void actor_bind_again(struct actor *self);

/* Makes the loop look at local work soon. */
void actor_wake(struct actor *self);
/* Looks at the deadlines at that loop time, or before. */
void actor_timer_at(struct actor *self, uint64_t at_ms);
struct trace_id actor_trace_new(struct actor *self);

/* --- its parts ------------------------------------------------------------------------------ */

/* Packs a struct (or copies `body` when msg->type or in is NULL) into a frame. */
int message_make(struct actor *self, const struct schema_msg *msg, const void *in, struct span body,
                 zmq_msg_t *ret_frame);
/* A frame with these bytes. 0 or -ENOMEM. */
int message_frame(struct span body, bool is_secret, zmq_msg_t *ret_frame);
/* Decodes into a buffer that grows to type->size. 0, CODEC_E_REFUSED, fault. */
int message_decode(void **buf, size_t *cap, const struct schema_msg *msg, struct span body, char *ret_text,
                   size_t text_len);

/* `is_loss`: nobody else will tell of it, or there is more than we can do; an operator should know. */
void dead_letter_report(struct actor *self, const struct envelope *env, size_t body_bytes, const char *reason,
                        bool is_loss);

/* Moves what has arrived into the mailbox. False when there may be more, which a peer that never rests sees to. */
bool intake_drain(struct actor *self);

/* A peer sent `frame`, which it may not: counted, and told. `from` may be empty. */
void blame_peer(struct actor *self, struct span from, zmq_msg_t *frame, const char *why);
/* Has this peer more under way than its credit can have allowed? */
bool blame_is_excess(const struct link *link, const struct mail *mail);

/* At the end: calls still in the mailbox, or on their way into it, get an answer, and what
 * waits leaves or is accounted for. */
void flush_all(struct actor *self);

void dispatch_mail(struct actor *self, struct mail *mail);

/* The link that all these words take. */
void node_talk_open(struct actor *self);
/* How this actor is; NULL leaves as it was. */
void node_talk_state(struct actor *self, const char *life, const char *status);
/* The last word. */
void node_talk_exit(struct actor *self);
/* Asks where the peer is. */
void node_talk_resolve(struct actor *self, struct link *link);
/* True when the mail was a word of the node. */
bool node_talk_on_word(struct actor *self, struct mail *mail);
/* The same for an actor that has ended but for what it still has to send. */
void node_talk_on_last_words(struct actor *self, struct mail *mail);
/* Tells the watches that match. */
void node_talk_on_life(struct actor *self, struct span address, enum actor_life life, struct span status);

#endif
