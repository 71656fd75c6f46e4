/*
 * db: auth's SQLite database: opening, the format, transactions and cached statements.
 * What is in it is the business of store, devices, requests and bootstrap.
 */
#ifndef ACTORS_AUTH_DB_H
#define ACTORS_AUTH_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "schema/base/database.h"

#define DB_STATEMENTS_MAX 64

enum {
    DB_E_FULL = DATABASE_E_DISK, /* the disk is full or failing: nothing was changed */
};

struct db {
    sqlite3 *handle;
    size_t cached_n;
    struct {
        const char *sql; /* compared by address: texts are constants */
        sqlite3_stmt *stmt;
    } cached[DB_STATEMENTS_MAX];
};

/* Opens or creates the file (0600). 0 or a fault; -EPROTONOSUPPORT when a newer version wrote it. */
int db_open(struct db *self, const char *path);
void db_close(struct db *self);

int db_begin(struct db *self);
/* Commits when `r` is 0; undoes everything when it is not, or when the commit fails. */
int db_finish(struct db *self, int r);

/*
 * A cached statement, fresh and without values. `sql` is a constant. NULL when it cannot be
 * prepared, in which case db_run and db_step say why; so callers bind and run without asking.
 */
sqlite3_stmt *db_stmt(struct db *self, const char *sql);
void db_bind_text(sqlite3_stmt *stmt, int at, const char *text);
void db_bind_span(sqlite3_stmt *stmt, int at, struct span text);
/* NULL when `bytes` is NULL. */
void db_bind_blob(sqlite3_stmt *stmt, int at, const void *bytes, size_t len);
/* NULL when `value` is 0: times and the like that may be absent. */
void db_bind_time(sqlite3_stmt *stmt, int at, int64_t value);

/* Runs a statement that yields nothing. 0, DB_E_FULL or a fault. */
int db_run(struct db *self, sqlite3_stmt *stmt);
/* One row: 0 with *ret_is_row; the statement is reset after the last one. */
int db_step(struct db *self, sqlite3_stmt *stmt, bool *ret_is_row);
/* Done with it before its last row. */
void db_done(sqlite3_stmt *stmt);
/* Rows that the last statement changed. */
int db_changes(const struct db *self);

/* Text of a column, cut to fit. */
void db_text(sqlite3_stmt *stmt, int at, char *out, size_t out_len);
/* True when the column holds exactly `len` bytes. */
bool db_blob(sqlite3_stmt *stmt, int at, void *out, size_t len);

#endif
