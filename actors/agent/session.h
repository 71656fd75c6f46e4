/*
 * session: the runs of one agent in memory: which session each belongs to, which waits
 * for which. One run at a time per session, the others in order behind it. Pure: no bus,
 * no clock, no files.
 *
 * Only sessions with a run that has not ended are here; all others are rows of the store.
 */
#ifndef ACTORS_AGENT_SESSION_H
#define ACTORS_AGENT_SESSION_H

#include <czmq.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/agent/ids.h"
#include "actors/agent/provider.h"
#include "actors/agent/store.h"
#include "bus/actor.h"
#include "bus/json.h"
#include "bus/pack.h"

#define SESSION_RUNS_MAX 64 /* of one session, the one under way included */
#define BOOK_RUNS_MAX 4096  /* of all sessions */

struct run;
struct beat;

struct session {
    struct store_session row;
    struct run *first; /* under way, or the next to start */
    struct run *last;
    uint32_t runs_n;
};

/* Someone who waits for text or for the end of a run. */
enum asker_kind {
    ASKER_AGENT,      /* method agent: the second phase */
    ASKER_COMPLETION, /* agent_run: text in chunks when it streams, then run_done */
    ASKER_WAIT,       /* agent.wait */
};

struct asker {
    struct asker *next;
    struct trace_id trace; /* of an ASKER_COMPLETION */
    struct run *run;       /* NULL: agent.wait for a run that is not here, or a completion that is still to begin */
    enum asker_kind kind;
    struct actor_token token;
    bool is_streaming;
    bool is_starved;                   /* its credit is out */
    size_t sent;                       /* bytes of the run's text that it has */
    size_t calls_sent[TOOL_CALLS_MAX]; /* of each call: 0 nothing, else 1 and the bytes of its arguments */
    uint64_t due_ms;                   /* loop time when ASKER_WAIT gives up; 0: never */
    char run_id[STORE_RUN_ID_MAX];     /* of ASKER_WAIT */
    struct text_buf rest;              /* of a run that is gone: text still to send … */
    struct text_buf reply;             /* … and the packed reply behind it */
};

enum run_phase {
    RUN_WAITING, /* for the run before it, for the settings or for a free place */
    RUN_ACTIVE,  /* the provider has been asked */
    RUN_ENDING,  /* its end is written; the commit is still to come */
};

/* Which list of its agent it is in; see batch.c. */
enum run_place {
    RUN_NOWHERE,
    RUN_TOUCHED, /* has something to show, or to commit first */
    RUN_STORED,  /* committed; it is shown when that has reached the disk */
    RUN_SHOWING, /* in this turn of the loop */
    RUN_LISTS_N,
};

struct run {
    enum run_phase phase;
    enum run_place place;
    uint32_t seq; /* of its newest agent event */
    void *owner;  /* of the book */
    struct store_run row;
    struct trace_id trace; /* of the message that asked for it; of one that is taken up after a crash none */
    struct session *session;
    struct store_session *as_started; /* the session's row when it started, until that was shown; or NULL */
    struct run *next;                 /* in its session */
    struct run *ready_next;           /* among the first ones of their sessions that wait */
    struct run *place_next;           /* in that list */
    struct asker *askers;
    struct beat *beat;     /* that this is the turn of; NULL: people asked */
    uint64_t notes_number; /* newest note that it was told */
    struct provider_turn *turn;
    uint64_t asked_ns;              /* when the provider was; 0: not yet */
    char provider[PROVIDER_ID_MAX]; /* that it runs with, once it is active */
    char model[PROVIDER_MODEL_MAX];
    struct text_buf text;     /* the answer so far */
    size_t shown;             /* bytes of it in agent events */
    size_t chat_shown;        /* bytes of it in chat events */
    uint64_t shown_due_ms;    /* loop time when the next agent event may go */
    uint64_t chat_due_ms;     /* loop time when the next chat delta may go */
    struct tool_calls calls;  /* of tools of the asker's */
    struct text_buf said;     /* packed [id, message, …] of the question, until it was shown */
    struct text_buf question; /* packed messages that hold more than is stored of them; empty: as stored */
    bool has_own_context;     /* `question` is the whole conversation */
    struct text_buf options;  /* packed map for the provider, or empty */
    char *system_prompt;      /* extra, of this run alone; NULL: none */
    struct text_buf answer;   /* packed message that is stored of it, once it ended */
    char answer_id[IDS_SHORT_MAX];
    /* how it ended */
    enum provider_outcome outcome;
    uint32_t retry_after_ms;
    char finish_reason[64];
    char response_id[128];
    struct provider_usage usage;
    bool is_written;   /* in the batch that is open; see batch_touch */
    bool is_unstored;  /* its first commit is still to come */
    bool is_new;       /* its question is still to be shown */
    bool is_announced; /* its start was published */
    bool is_unsaved;   /* its end could not be stored; its askers were told */
    bool is_held;      /* its provider waits, for one who reads slowly or for the disk */
    bool is_instant;   /* its provider is in here and has its answer at once */
    bool is_retryable;
    bool has_lost_calls; /* there was no room for one */
};

struct book {
    void *owner;             /* each run knows it, as the events of providers know the run alone */
    zhashx_t *sessions;      /* key → struct session */
    zhashx_t *runs;          /* id → struct run */
    struct run *ready_first; /* may start, oldest first */
    struct run *ready_last;
    uint32_t active_n;
    uint32_t waiting_n;
};

void book_init(struct book *self, void *owner);
/* Frees all runs and sessions; turns must have been cancelled. */
void book_deinit(struct book *self);

struct session *book_session_find(struct book *self, struct span key);
/* Takes the row over; the key must not be in the book. */
struct session *book_session_add(struct book *self, const struct store_session *row);
struct run *book_run_find(struct book *self, struct span id);
/* The id must not be in the book. The run is the last of its session. */
struct run *book_run_add(struct book *self, struct session *session, const struct store_run *row);
/* Frees the run, and its session when no run is left. It has no turn and no asker. */
void book_run_remove(struct book *self, struct run *run);
/* May another run come into this session? */
bool book_has_room(const struct book *self, const struct session *session);
void book_phase_set(struct book *self, struct run *run, enum run_phase phase);
/* The next run that may start: first of its session and waiting; NULL when none. */
struct run *book_run_next(struct book *self);

/* Keeps the session's row as it is now, for when the start of the run is shown: it may have ended by then. */
void run_start_keep(struct run *run);
/* Keeps a system prompt of its own for the run, once; "" is none. */
void run_prompt_keep(struct run *run, struct span prompt);
/* Keeps an asker on the run; returns it. */
struct asker *run_asker_add(struct run *run, enum asker_kind kind);
/* Takes over one that was on no run. */
void run_asker_attach(struct run *run, struct asker *asker);
/* Unlinks it; the caller owns it now. */
void run_asker_detach(struct run *run, struct asker *asker);
void asker_free(struct asker *asker);
/* Unlinks and frees. */
void run_asker_remove(struct run *run, struct asker *asker);

#endif
