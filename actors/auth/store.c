#include "actors/auth/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"

static const char meta_get_sql[] = "SELECT value FROM meta WHERE key = ?1";
static const char meta_put_sql[] = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";

int store_open(const char *path, struct store **ret_store)
{
    CLEANUP(store_close) struct store *self = mem_new(sizeof(*self));
    char key_path[PATH_MAX];

    if (snprintf(key_path, sizeof(key_path), "%s.key", path) >= PATH_MAX) {
        return FAULT(-ENAMETOOLONG);
    }
    int fault = db_open(&self->db, path);
    fault = fault ? fault : secret_key_load(&self->token_key, key_path);
    if (fault) {
        return fault;
    }
    *ret_store = TAKE(self);
    return 0;
}

void store_close(struct store **store_p)
{
    struct store *self = *store_p;

    if (!self) {
        return;
    }
    db_close(&self->db);
    mem_wipe(&self->token_key, sizeof(self->token_key));
    free(self);
    *store_p = NULL;
}

int store_begin(struct store *self)
{
    return db_begin(&self->db);
}

int store_finish(struct store *self, int r)
{
    return db_finish(&self->db, r);
}

/* --- small facts --------------------------------------------------------------------- */

static int meta_get(struct store *self, const char *key, void *out, size_t len, bool *ret_is_found)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, meta_get_sql);
    bool is_row = false;

    db_bind_text(stmt, 1, key);
    int r = db_step(&self->db, stmt, &is_row);
    *ret_is_found = is_row && db_blob(stmt, 0, out, len);
    if (is_row) {
        db_done(stmt);
    }
    return r;
}

static int meta_put(struct store *self, const char *key, const void *bytes, size_t len)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, meta_put_sql);

    db_bind_text(stmt, 1, key);
    db_bind_blob(stmt, 2, bytes, len);
    return db_run(&self->db, stmt);
}

int store_mark_read(struct store *self, const char *name, bool *ret_is_done)
{
    char mark = 0;

    return meta_get(self, name, &mark, sizeof(mark), ret_is_done);
}

int store_mark(struct store *self, const char *name)
{
    return meta_put(self, name, "1", 1);
}

/* --- generation ------------------------------------------------------------------------ */

/* The digest is keyed, so that a stolen database does not confirm guesses by itself. */
struct generation_row {
    uint64_t generation;
    struct secret_key key;
    unsigned char digest[SECRET_DIGEST];
};

int store_generation(struct store *self, struct span settings, uint64_t *ret_generation)
{
    struct generation_row row = { 0 };
    unsigned char digest[SECRET_DIGEST];
    bool is_found = false;
    int r = meta_get(self, "generation", &row, sizeof(row), &is_found);

    r = r || is_found ? r : secret_key_init(&row.key);
    r = r ? r : secret_digest(&row.key, settings, digest);
    if (r) {
        return r;
    }
    if (!is_found || memcmp(digest, row.digest, sizeof(digest)) != 0) {
        row.generation++;
        memcpy(row.digest, digest, sizeof(digest));
        r = meta_put(self, "generation", &row, sizeof(row));
    }
    if (!r) {
        *ret_generation = row.generation;
    }
    return r;
}
