/*
 * store: sessions, transcripts and runs of one agent in one SQLite database.
 *
 * Writes go into a batch, which one commit writes to the log. To make that lasting is up to the caller, so that it need
 * not wait for the disk: store_log_name() says which file is to be synced. A write that fails ends the whole batch:
 * nothing of it was applied.
 */
#ifndef ACTORS_AGENT_STORE_H
#define ACTORS_AGENT_STORE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define STORE_FORMAT 1    /* of the database; what we write and the newest we read */
#define STORE_KEY_MAX 513 /* bytes of a session key, with terminator */
#define STORE_RUN_ID_MAX 513
#define STORE_UUID_MAX 37
#define STORE_NAME_MAX 257
#define STORE_LABEL_MAX 513
#define STORE_STMTS_MAX 32
#define STORE_NOTE_REMEMBERED_MS (int64_t)(7LL * 86400000) /* that a note of that id was there */

enum {
    STORE_E_UNAVAILABLE = 1, /* disk full, busy or failing; store_problem() says it */
    STORE_E_NEWER = 2,       /* the database has a format that only a newer release reads */
    STORE_E_ABSENT = 3,      /* no such row */
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *stmts[STORE_STMTS_MAX];
    bool in_batch;
    bool has_log; /* else a commit is lasting by itself */
    char problem[256];
};

enum store_session_status {
    STORE_SESSION_IDLE,
    STORE_SESSION_RUNNING,
    STORE_SESSION_DONE,
    STORE_SESSION_FAILED,
    STORE_SESSION_KILLED,
};

struct store_session {
    int64_t n; /* 0: not stored yet */
    char key[STORE_KEY_MAX];
    char id[STORE_UUID_MAX];
    char label[STORE_LABEL_MAX]; /* "" for none */
    char channel[STORE_NAME_MAX];
    char provider[STORE_NAME_MAX];
    char model[STORE_NAME_MAX];
    enum store_session_status status;
    int64_t created_ms;
    int64_t updated_ms;
    int64_t started_ms;  /* of the newest run; 0: none */
    int64_t ended_ms;    /* 0: it is running, or there was none */
    uint32_t messages_n; /* the newest seq */
    bool is_last_aborted;
    uint64_t input_tokens;
    uint64_t output_tokens;
    uint64_t total_tokens;
};

enum store_run_state {
    STORE_RUN_QUEUED,
    STORE_RUN_STARTED,
    STORE_RUN_DONE,
    STORE_RUN_ERROR,
    STORE_RUN_ABORTED,
};

enum store_run_kind {
    STORE_RUN_CHAT,       /* chat.send */
    STORE_RUN_AGENT,      /* agent */
    STORE_RUN_COMPLETION, /* agent_run: its asker waits for the answer itself */
    STORE_RUN_HEARTBEAT,  /* agent_heartbeat: a row only once it ended well */
};

struct store_run {
    int64_t n;                 /* 0: not stored yet */
    char id[STORE_RUN_ID_MAX]; /* the idempotency key */
    int64_t session_n;
    enum store_run_kind kind;
    enum store_run_state state;
    uint32_t attempts;
    int64_t created_ms;
    int64_t started_ms;
    int64_t ended_ms;
    uint32_t message_seq;       /* the user's message */
    uint32_t reply_seq;         /* the answer; 0: none */
    uint32_t timeout_ms;        /* 0: the default */
    char model[STORE_NAME_MAX]; /* asked for by the caller, or "" */
    char stop_reason[65];
    char error[481];
};

/* The stop reason of a completion that a restart ended: it has no answer, and runs when it is asked for again. */
#define STORE_STOP_RESTART "restart"

bool store_run_is_cut(const struct store_run *run);

struct store_message {
    uint32_t seq;
    struct span id;
    struct span body; /* packed map as clients get it, without __openclaw */
    int64_t run_n;
    int64_t ts_ms;
};

/*
 * Opens or creates the database at `path` and brings it to STORE_FORMAT. Outcomes
 * UNAVAILABLE and NEWER; a fault when the file is no database of ours or is damaged.
 */
int store_open(struct store *self, const char *path);
/* Rolls an open batch back. Copes with a store that was never opened. */
void store_close(struct store *self);
/* Why the last call failed; "" at first. */
const char *store_problem(const struct store *self);

/* Whether there is room to go on with, and the disk takes a write that changes nothing. */
int store_probe(struct store *self, const char *path);

/* Where the commits of the database at `path` stand until they are copied into it. */
void store_log_name(const char *path, char *out, size_t size);

/* Every write below opens the batch when none is open. */
int store_batch_commit(struct store *self);
void store_batch_rollback(struct store *self);

int store_session_get(struct store *self, struct span key, struct store_session *ret_session);
int store_session_get_n(struct store *self, int64_t n, struct store_session *ret_session);
/* Inserts (n is 0; it is set) or updates. */
int store_session_put(struct store *self, struct store_session *session);
int store_sessions_count(struct store *self, uint32_t *ret_n);

struct store_filter {
    int64_t updated_min_ms;
    struct span search; /* somewhere in key, label or id, without regard to ASCII case */
    struct span label;  /* exactly */
    struct span key;    /* exactly */
    uint32_t limit;
};
typedef int (*store_on_session)(void *arg, const struct store_session *session);
/* Newest first; `ret_total` counts all matches. A nonzero result of `on` ends it. */
int store_sessions_list(struct store *self, const struct store_filter *filter, store_on_session on, void *arg,
                        uint32_t *ret_total);

int store_message_add(struct store *self, int64_t session_n, const struct store_message *message);
typedef int (*store_on_message)(void *arg, const struct store_message *message);
/* From `seq_max` downward until `on` gives nonzero; borrowed until it returns. */
int store_messages_read(struct store *self, int64_t session_n, uint32_t seq_max, store_on_message on, void *arg);

/* Inserts (n is 0; it is set) or updates. */
int store_run_put(struct store *self, struct store_run *run);
int store_run_get(struct store *self, struct span id, struct store_run *ret_run);
typedef int (*store_on_run)(void *arg, const struct store_run *run);
/* Runs that had not ended, oldest first. */
int store_runs_open(struct store *self, store_on_run on, void *arg);
/* Forgets some runs that ended before `ended_max_ms`; their messages stay. */
int store_runs_prune(struct store *self, int64_t ended_max_ms);

/* A conversation that goes on from an earlier place. */
struct store_branch {
    int64_t session_n; /* where that place is: in this session, … */
    uint32_t seq_max;  /* … up to this message, … */
    int64_t run_n;     /* … of this run or one before it */
    int64_t origin_n;  /* the session of the first of them all, which is no branch itself */
};
/* The run of the newest message of a session. */
int store_newest_run(struct store *self, int64_t session_n, int64_t *ret_run_n);
/* What it would copy: messages, `limit` at most, and the bytes of these. */
int store_branch_measure(struct store *self, const struct store_branch *branch, uint32_t limit, uint32_t *ret_n,
                         uint64_t *ret_bytes);
/* Copies the messages into a session without any, and keeps the origin. */
int store_branch_copy(struct store *self, const struct store_branch *branch, int64_t session_n);
/* Of a session that is a branch. */
int store_branch_origin(struct store *self, int64_t session_n, int64_t *ret_origin_n);

struct note_text;

/* A note that waits for a turn of its session; an `id` (empty: none) is remembered after it was read. */
int store_note_add(struct store *self, struct span id, const struct note_text *note);
/* 0 when there is or was one of that id, STORE_E_ABSENT when not. */
int store_note_find(struct store *self, struct span id);
int store_note_drop(struct store *self, uint64_t number);
/* A turn had those of the session up to that number. */
int store_notes_read(struct store *self, struct span session_key, uint64_t number, int64_t now_ms);
typedef void (*store_on_note)(void *arg, const struct note_text *note);
/* Those that wait, oldest first; borrowed until `on` returns. `ret_last` is the highest number in use. */
int store_notes_open(struct store *self, store_on_note on, void *arg, uint64_t *ret_last);

const char *store_run_state_name(enum store_run_state state);
const char *store_session_status_name(enum store_session_status status);

#endif
