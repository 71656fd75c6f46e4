/*
 * store_stmt: the prepared statements of the store, for store.c, store_rows.c, store_notes.c
 * and store_branch.c.
 */
#ifndef ACTORS_AGENT_STORE_STMT_H
#define ACTORS_AGENT_STORE_STMT_H

#include "actors/agent/store.h"

enum stmt {
    STMT_BEGIN,
    STMT_COMMIT,
    STMT_ROLLBACK,
    STMT_SESSION_GET,
    STMT_SESSION_GET_N,
    STMT_SESSION_INSERT,
    STMT_SESSION_UPDATE,
    STMT_SESSIONS_COUNT,
    STMT_SESSIONS_LIST,
    STMT_SESSIONS_MATCH_COUNT,
    STMT_MESSAGE_INSERT,
    STMT_MESSAGES_READ,
    STMT_RUN_INSERT,
    STMT_RUN_UPDATE,
    STMT_RUN_GET,
    STMT_RUNS_OPEN,
    STMT_RUNS_PRUNE,
    STMT_NOTE_ADD,
    STMT_NOTE_FIND,
    STMT_NOTE_DROP,
    STMT_NOTES_READ,
    STMT_NOTES_REMEMBER,
    STMT_NOTES_PRUNE,
    STMT_NOTES_OPEN,
    STMT_NOTES_LAST,
    STMT_NEWEST_RUN,
    STMT_BRANCH_MEASURE,
    STMT_BRANCH_COPY,
    STMT_BRANCH_ADD,
    STMT_BRANCH_ORIGIN,
    STMT_N,
};

/* A message's place is its session's number in the upper and its seq in the lower half. */
static inline int64_t store_place(int64_t session_n, uint32_t seq)
{
    return (session_n << 32) | seq;
}

/* Turns a result of SQLite into 0, an outcome of the store or a fault, and keeps its words. */
int store_result_sort(struct store *self, int rc);
/* Prepares it the first time. */
int store_stmt_get(struct store *self, enum stmt which, sqlite3_stmt **ret_stmt);
/* Makes a statement ready for the next time; a cleanup handler. */
void store_stmt_release(sqlite3_stmt **stmt_p);
/* The same as store_stmt_get, inside a batch. */
int store_write_get(struct store *self, enum stmt which, sqlite3_stmt **ret_stmt);
/* Runs a write; one that fails takes the batch with it. */
int store_write_run(struct store *self, sqlite3_stmt *stmt);

#endif
