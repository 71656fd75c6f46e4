/*
 * agent_state: the state of one agent and what its parts do with it. For this folder
 * alone.
 *
 *   ask.c    chat.send, chat.abort, agent, agent_note; completion.c agent_run; read.c what only reads
 *   intake.c what a completion wants to have fetched
 *   admit.c  a message comes in: row of the run and of the message, once per key
 *   turn.c   a run starts, gets text, ends, is aborted, is taken up again after a crash
 *   batch.c  one commit for all that happened in one turn of the loop, then the answers
 *   show.c   what people see of a run: events, chunks, final answers; show_text.c its text as events
 *   waits.c  agent.wait
 *   beat.c   agent_heartbeat: turns that nobody asked for
 *   setup.c  the configuration
 */
#ifndef ACTORS_AGENT_AGENT_STATE_H
#define ACTORS_AGENT_AGENT_STATE_H

#include "actors/agent/convert.h"
#include "actors/agent/events.h"
#include "actors/agent/notes.h"
#include "actors/agent/numbers.h"
#include "actors/agent/provider.h"
#include "actors/agent/session.h"
#include "actors/agent/settings.h"
#include "actors/agent/store.h"
#include "actors/agent/syncer.h"
#include "actors/agent/transcript.h"
#include "actors/agent/watchers.h"
#include "bus/actor.h"
#include "bus/pack.h"
#include "schema/base/config_follow.h"

#define AGENT_ID_MAX 65
#define AGENT_ATTEMPTS_MAX 3
#define AGENT_WAITS_MAX 4096

struct embed;
struct intake;
struct msg_agent_run;

/* An answer that must not go out before what it says has reached the disk. */
struct ack {
    struct ack *next;
    struct actor_token token;
    int64_t accepted_ms;  /* not 0: the chunk agent_accepted, the call goes on */
    bool is_last;         /* goes out behind the events of the same commit */
    struct text_buf body; /* the packed reply; of a chunk: the run's id */
};

struct ack_list {
    struct ack *first;
    struct ack *last;
};

struct run_list {
    struct run *first;
    struct run *last;
};

struct agent {
    struct actor *actor;
    char id[AGENT_ID_MAX];
    char path[4096]; /* of the database */
    struct store store;
    struct provider_engine engine;
    struct book book;
    struct notes notes;
    struct pack scratch;

    uv_check_t check;                   /* ends a turn of the loop in which something happened */
    uv_idle_t idle;                     /* keeps the loop from waiting until then */
    struct ack_list acks;               /* for the next commit */
    struct ack_list stored_acks;        /* of the commit that is on its way to the disk */
    struct run_list lists[RUN_LISTS_N]; /* by enum run_place */
    struct syncer syncer;               /* busy: with the newest commit */
    struct beat *beats;                 /* heartbeats that wait or run */
    struct intake *intakes;             /* completions that wait for what is to be fetched or read */
    struct converts converts;
    struct embed *embeds;
    struct asker *drains; /* streamed completions that have ended here and not yet at their askers, newest first */
    size_t drains_bytes;  /* what they keep */

    uv_timer_t timer; /* the earliest of: a wait that ends, writes to try again */
    struct asker *waits;
    uint64_t late_due_ms;    /* loop time when text held back may be shown; 0: none is */
    uint64_t unsaved_due_ms; /* loop time; 0: every end is stored */
    char store_trouble[320]; /* why the database takes no writes; empty while it does */

    struct watchers watchers;
    struct settings settings;
    struct config_follow follow;

    struct numbers numbers;
    int64_t last_ok_ms;
    int64_t last_error_ms;
    char last_error[481];

    uint32_t waits_n;
    uint32_t intakes_n;
    uint32_t embeds_n;
    uint32_t sessions_n;
    uint32_t ended_n; /* runs, for the pruning now and then */
    uint32_t held_n;  /* runs whose provider waits for a slow reader, or for the disk */
    bool is_engine_open;
    bool is_stopping;
    bool is_void; /* a sync failed: what is in memory may never have been */
    bool is_check_open;
    bool is_due;
    bool is_timer_open;
    bool has_settings;
};

/* --- batch.c --------------------------------------------------------------------------- */

int batch_open(struct agent *self);
void batch_close(struct agent *self);
/*
 * Something happened: the turn of the loop ends with a commit, and what was committed is shown once it has reached the
 * disk. Meanwhile the loop goes on; what is written then is for the next commit.
 */
void batch_due(struct agent *self);
/* Of the run something was written, which is to be shown. */
void batch_touch(struct agent *self, struct run *run);
/* Of the run something is to be shown that is not stored, as a piece of its text. */
void batch_touch_text(struct agent *self, struct run *run);
void batch_untouch(struct agent *self, struct run *run);
/* An orderly stop: commits, waits for the disk and shows. A store outcome, 0 or a fault. */
int batch_settle(struct agent *self);
/* Once the commit has reached the disk `body` is the answer; copied. 0 or -ENOMEM. */
int batch_ack(struct agent *self, struct actor_token token, struct span body, bool is_last);
/* The same for the first phase of `agent`. 0 or -ENOMEM. */
int batch_ack_accepted(struct agent *self, struct actor_token token, struct span run_id, int64_t accepted_ms);
/* Those that wait for the next commit hear of `failure` instead. */
void batch_acks_fail(struct agent *self, const struct failure *failure);

/* --- batch_fail.c ---------------------------------------------------------------------- */

/*
 * A write failed: whatever the batch held was not applied. Fails everyone who waits for
 * it and forgets the runs that began in it. Returns FAIL_STORAGE for an outcome, the
 * fault itself for a fault.
 */
int batch_fail(struct agent *self, int rc);
/* After a failure: whether the database takes writes again. 0, FAIL_STORAGE or a fault. */
int batch_probe(struct agent *self);
/* Has it looked at once more in a moment. */
void batch_retry_later(struct agent *self);

/* --- admit.c ----------------------------------------------------------------------------- */

/* A message that asks for a run. All borrowed. */
struct question {
    enum store_run_kind kind;
    struct trace_id trace; /* of whoever asks */
    struct span session_key;
    struct span id; /* idempotency key */
    struct span text;
    struct span messages; /* packed messages to store instead of `text`, or empty */
    struct span channel;
    struct span model; /* provider/model, or empty */
    uint64_t timeout_ms;
    const struct store_branch *branch; /* session_key is new, and begins with that; NULL: none */
};
enum {
    ADMIT_E_REPEAT = 1,  /* the run is in the book */
    ADMIT_E_ENDED = 2,   /* the run has ended; its row is set */
    ADMIT_E_FULL = 3,    /* too many runs wait */
    ADMIT_E_STORAGE = 4, /* and batch_fail has been called */
};
/* 0: `ret_run` is part of the batch, and new, or runs again because a restart had ended it. REPEAT: `ret_run` is the
 * one there is. */
int admit(struct agent *self, const struct question *question, struct run **ret_run, struct store_run *ret_ended);

/* --- ask.c, completion.c, read.c ------------------------------------------------------------ */

int on_chat_send(void *arg, struct actor_ctx *ctx, const void *msg);
int on_chat_abort(void *arg, struct actor_ctx *ctx, const void *msg);
int on_agent(void *arg, struct actor_ctx *ctx, const void *msg);
/* Takes the asker; what comes of it is told to it. 0 or a fault. */
int completion_begin(struct agent *self, struct asker *asker, const struct msg_agent_run *in);
int on_agent_run(void *arg, struct actor_ctx *ctx, const void *msg);
int on_chat_history(void *arg, struct actor_ctx *ctx, const void *msg);
int on_sessions_preview(void *arg, struct actor_ctx *ctx, const void *msg);
int on_sessions_describe(void *arg, struct actor_ctx *ctx, const void *msg);
int on_agent_sessions(void *arg, struct actor_ctx *ctx, const void *msg);
int on_agent_run_find(void *arg, struct actor_ctx *ctx, const void *msg);
int on_agent_status(void *arg, struct actor_ctx *ctx, const void *msg);
int on_agent_note(void *arg, struct actor_ctx *ctx, const void *msg);
/* Has in memory the notes that are stored. A store outcome, 0 or a fault. */
int ask_notes_load(struct agent *self);

/* What a handler returns for an outcome of the store, and for one of admit. */
int handler_fail_storage(struct agent *self, struct actor_ctx *ctx, int rc);
/* Answers with what stands in the scratch. */
int handler_reply_scratch(struct agent *self, struct actor_ctx *ctx);

/* --- turn.c --------------------------------------------------------------------------------- */

/* Starts as many runs as may start. 0 or a fault. */
int turn_start_ready(struct agent *self);
/* Ends a run that is waiting or active. 0 or a fault. */
int turn_abort(struct agent *self, struct run *run, const char *reason);
/* The same for one whose asker ended with its process: whoever stood behind it asks again by the same key, and it runs
 * again. Without an answer in the transcript, as there is one then. 0 or a fault. */
int turn_cut(struct agent *self, struct run *run);
/* Writes what an ended run leaves behind. 0, FAIL_STORAGE (batch_fail was called) or a fault. */
int turn_save(struct agent *self, struct run *run);
/* Takes up what was under way when the last life ended. 0 or a fault. */
int turn_resume(struct agent *self);
/* An orderly stop: what is under way goes on in the next life and this end of it does not
 * count as an attempt. A store outcome, 0 or a fault. */
int turn_park(struct agent *self);
/* Pauses or resumes the provider by the credit of those who stream, and by who else waits. */
void turn_flow(struct run *run);

/* --- show.c ---------------------------------------------------------------------------------- */

/* After a commit. The run may be gone from here on. */
void show_run(struct agent *self, struct run *run);
/* What stands in the scratch goes to everyone, in the trace of the run. A payload that is too large to pack or to send
 * is not sent; the transcript has all of it. */
void show_publish(struct agent *self, const struct run *run, const struct schema_msg *topic);
/* More of its text as events, as far as it is due; and the text so far as the web chat sees it. */
void show_text(struct agent *self, struct run *run);
void show_chat_delta(struct agent *self, struct run *run);
/* Whether its text is told as events: not where it came over HTTP and no edge has anybody who would see them. */
bool show_is_watched(struct agent *self, const struct run *run);
/* Shows the text that was held back for a while. */
void show_late(struct agent *self);
/* The calls of tools in the answer of a run that is done; and a message of the question, when it is a tool's result. */
void show_tool_calls(struct agent *self, struct run *run);
void show_tool_result(struct agent *self, struct run *run, struct span message);
/* Tells everyone that the end of a run could not be stored. */
void show_unsaved(struct agent *self, struct run *run);
/* What a heartbeat has to tell; the end of a turn as the web chat sees it. */
void show_alert(struct agent *self, struct run *run);
void show_chat_end(struct agent *self, struct run *run);
/* Someone who streams has credit again. */
void show_credit(struct agent *self, void *cookie);
/* Someone has gone: an asker of a run or a drain. */
void show_cancel(struct agent *self, void *cookie);
/* Appends the stored answer of an ended run, packed. A store outcome, 0 or a fault. */
int show_answer_read(struct agent *self, const struct store_run *row, struct text_buf *out);
/* Packs the row of the answer of an ended run: what `agent` replies. */
int show_reply_pack(struct agent *self, const struct store_run *row, struct pack *out);
void show_deinit(struct agent *self);

/* --- beat.c --------------------------------------------------------------------------------------- */

int on_agent_heartbeat(void *arg, struct actor_ctx *ctx, const void *msg);
/* Begins those whose session, and if need be the whole agent, has nothing else to do. 0 or a fault. */
int beats_start_ready(struct agent *self);
/* Packs the conversation of its turn. A store outcome, 0 or a fault. */
int beat_messages_pack(struct agent *self, struct run *run, struct transcript_context *context, struct pack *out);
/* The session whose notes it is told. */
struct span beat_notes_key(const struct beat *beat);
/* The provider has answered, or will not: judges that and writes what shall last. 0 or a fault. */
int beat_end(struct agent *self, struct run *run);
/* The rows of one that ended; a store outcome or 0. */
int beat_rows_write(struct agent *self, struct run *run);
/* After the commit: shows an alert, answers, and takes the run out of the book. */
void beat_show_end(struct agent *self, struct run *run);
/* Its end could not be stored: whoever asked is told. */
void beat_show_unsaved(struct agent *self, struct run *run);
/* Whether the cookie is of a heartbeat, whose asker has then gone. */
bool beat_cancel(struct agent *self, const void *cookie);
bool beat_is(const struct agent *self, const void *cookie);
void beats_deinit(struct agent *self);

/* --- waits.c ----------------------------------------------------------------------------------- */

int waits_open(struct agent *self);
void waits_close(struct agent *self);
int on_agent_wait(void *arg, struct actor_ctx *ctx, const void *msg);
/* The run has ended: answers all who wait for it. */
void waits_end(struct agent *self, const struct store_run *row);
bool waits_cancel(struct agent *self, void *cookie);
/* Arms the timer for whatever is due first. */
void waits_arm(struct agent *self);

/* --- setup.c ------------------------------------------------------------------------------------ */

/* Follows the config; runs wait for the first word of it. 0 or a fault. */
int setup_open(struct agent *self);
void setup_close(struct agent *self);
int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
