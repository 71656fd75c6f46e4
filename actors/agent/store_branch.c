#include "actors/agent/store.h"
#include "actors/agent/store_stmt.h"
#include "bus/base/cleanup.h"

/* Bindings fail only for a wrong index or no memory; the step then says so. */
static void bind_int(sqlite3_stmt *stmt, int at, int64_t value)
{
    (void)sqlite3_bind_int64(stmt, at, value);
}

static void bind_branch(sqlite3_stmt *stmt, const struct store_branch *branch)
{
    bind_int(stmt, 1, store_place(branch->session_n, 0));
    bind_int(stmt, 2, store_place(branch->session_n, branch->seq_max));
    bind_int(stmt, 3, branch->run_n);
}

static int row_step(struct store *self, sqlite3_stmt *stmt)
{
    int step = sqlite3_step(stmt);
    int rc = store_result_sort(self, step);

    return rc ? rc : step == SQLITE_DONE ? STORE_E_ABSENT : 0;
}

int store_newest_run(struct store *self, int64_t session_n, int64_t *ret_run_n)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_NEWEST_RUN, &stmt);

    if (rc) {
        return rc;
    }
    bind_int(stmt, 1, store_place(session_n, 0));
    bind_int(stmt, 2, store_place(session_n, UINT32_MAX));
    rc = row_step(self, stmt);
    if (!rc) {
        *ret_run_n = sqlite3_column_int64(stmt, 0);
    }
    return rc;
}

int store_branch_measure(struct store *self, const struct store_branch *branch, uint32_t limit, uint32_t *ret_n,
                         uint64_t *ret_bytes)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_BRANCH_MEASURE, &stmt);

    if (rc) {
        return rc;
    }
    bind_branch(stmt, branch);
    bind_int(stmt, 4, limit);
    rc = row_step(self, stmt);
    if (!rc) {
        *ret_n = (uint32_t)sqlite3_column_int64(stmt, 0);
        *ret_bytes = (uint64_t)sqlite3_column_int64(stmt, 1);
    }
    return rc;
}

int store_branch_copy(struct store *self, const struct store_branch *branch, int64_t session_n)
{
    sqlite3_stmt *stmt;
    int rc = store_write_get(self, STMT_BRANCH_COPY, &stmt);

    if (rc) {
        return rc;
    }
    bind_branch(stmt, branch);
    bind_int(stmt, 4, store_place(session_n, 0));
    rc = store_write_run(self, stmt);
    rc = rc ? rc : store_write_get(self, STMT_BRANCH_ADD, &stmt);
    if (rc) {
        return rc;
    }
    bind_int(stmt, 1, session_n);
    bind_int(stmt, 2, branch->origin_n);
    return store_write_run(self, stmt);
}

int store_branch_origin(struct store *self, int64_t session_n, int64_t *ret_origin_n)
{
    CLEANUP(store_stmt_release) sqlite3_stmt *stmt = NULL;
    int rc = store_stmt_get(self, STMT_BRANCH_ORIGIN, &stmt);

    if (rc) {
        return rc;
    }
    bind_int(stmt, 1, session_n);
    rc = row_step(self, stmt);
    if (!rc) {
        *ret_origin_n = sqlite3_column_int64(stmt, 0);
    }
    return rc;
}
