/*
 * database: what the databases of all actors have in common: a file for nobody else, the
 * pragmas, the format's number, and what SQLite says in our words.
 */
#ifndef SCHEMA_BASE_DATABASE_H
#define SCHEMA_BASE_DATABASE_H

#include <sqlite3.h>

enum {
    DATABASE_E_DISK = 1, /* the disk is full or failing, or the file is locked: nothing was changed */
};

/* What broke, as a fault. */
int database_fault(int rc);
/* The same, but a disk that says no, or a lock that stays, is the asker's bad news and no fault: DATABASE_E_DISK. */
int database_outcome(int rc);

/* Opens or creates the file (0600), with a write-ahead log that is synced with every commit.
 * 0 or a fault; `ret_db` is set, and to be closed, on both. */
int database_open(const char *path, sqlite3 **ret_db);
/* 0, DATABASE_E_DISK or a fault. */
int database_exec(sqlite3 *db, const char *sql);
/* The number of the format it has, 0 when it is new. -EPROTONOSUPPORT when above `newest`. */
int database_format(sqlite3 *db, int newest, int *ret_format);
/* Whether the disk takes writes again: writes what is there. Outside of transactions. 0,
 * DATABASE_E_DISK or a fault. */
int database_probe(sqlite3 *db);

#endif
