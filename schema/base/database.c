#include "schema/base/database.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/fault.h"

#define BUSY_MS 50 /* an operator's shell may hold a lock for a moment; longer would stall the actor */

int database_fault(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return FAULT(-ENOMEM);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FAULT(-EUCLEAN);
    case SQLITE_BUSY:
        return FAULT(-EBUSY);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return FAULT(-EACCES);
    default:
        return FAULT(-EIO);
    }
}

int database_outcome(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_BUSY: /* another program holds the lock: it passes, as a full disk does */
        return DATABASE_E_DISK;
    default:
        return database_fault(rc);
    }
}

/* There may be secrets in it: the file is nobody else's business from its first byte on. */
static int file_claim(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return FAULT(-errno);
    }
    int r = fchmod(fd, 0600) ? FAULT(-errno) : 0;
    (void)close(fd); /* nothing was written */
    return r;
}

int database_open(const char *path, sqlite3 **ret_db)
{
    *ret_db = NULL;
    int r = file_claim(path);
    if (r) {
        return r;
    }
    int rc = sqlite3_open_v2(path, ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        return database_fault(rc);
    }
    (void)sqlite3_extended_result_codes(*ret_db, 1); /* always OK */
    (void)sqlite3_busy_timeout(*ret_db, BUSY_MS);    /* always OK */
    r = database_exec(*ret_db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF");
    return r > 0 ? FAULT(-EIO) : r;
}

int database_exec(sqlite3 *db, const char *sql)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : database_outcome(rc);
}

int database_format(sqlite3 *db, int newest, int *ret_format)
{
    sqlite3_stmt *stmt = NULL;
    int format = -1;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);

    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        format = sqlite3_column_int(stmt, 0);
    }
    sqlite3_finalize(stmt);
    if (format < 0) {
        return database_fault(sqlite3_errcode(db));
    }
    *ret_format = format;
    return format > newest ? FAULT(-EPROTONOSUPPORT) : 0;
}

/* Setting the number writes its page, whatever was there. */
int database_probe(sqlite3 *db)
{
    char sql[64];
    int format = 0;
    int r = database_format(db, INT_MAX, &format);

    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", format);
    return r ? r : database_exec(db, sql);
}
