#include "schema/base/db_check.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

/* One that is busy, or cannot be opened by us, is not damaged. */
static bool is_damage(int rc)
{
    return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

static bool is_whole(sqlite3 *db, char *why, size_t why_size)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    bool is_fine = true;

    rc = rc == SQLITE_OK ? sqlite3_step(stmt) : rc;
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);

        is_fine = !text || !strcmp(text, "ok");
        (void)snprintf(why, why_size, "%s", text ? text : "");
    } else if (is_damage(rc & 0xff)) {
        is_fine = false;
        (void)snprintf(why, why_size, "%s", sqlite3_errmsg(db));
    }
    (void)sqlite3_finalize(stmt); /* tells the error of the step again */
    return is_fine;
}

bool db_check(const char *path, char *why, size_t why_size)
{
    sqlite3 *db = NULL;
    bool is_fine = true;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) == SQLITE_OK) {
        is_fine = is_whole(db, why, why_size);
    }
    (void)sqlite3_close(db); /* no statement is open */
    return is_fine;
}
