#include "schema/base/shelf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/database.h"

#define FORMAT 1
#define DEPTH_MAX 64U

static const char schema_sql[] =
    "CREATE TABLE item (seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,"
    " at_ms INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (kind, id))";

enum statement {
    ITEM_PUT,
    ITEM_DROP,
    ITEM_ALL,
    STATEMENTS_N,
};

static const char *const statements[STATEMENTS_N] = {
    [ITEM_PUT] = ("INSERT INTO item (kind, id, owner, at_ms, body) VALUES (?1, ?2, ?3, ?4, ?5)"
                  " ON CONFLICT (kind, id) DO UPDATE SET owner = ?3, at_ms = ?4, body = ?5"),
    [ITEM_DROP] = "DELETE FROM item WHERE kind = ?1 AND id = ?2",
    [ITEM_ALL] = "SELECT kind, id, owner, at_ms, body FROM item ORDER BY seq",
};

struct kind {
    struct shelf_item *first;
    size_t items_n;
    size_t most;
};

struct shelf {
    sqlite3 *db;
    sqlite3_stmt *prepared[STATEMENTS_N];
    struct kind kinds[SHELF_KINDS];
    struct disk_watch *watch; /* borrowed; NULL: nobody is told */
    bool is_new;
};

/* --- items in memory ----------------------------------------------------------------------- */

/* One allocation: the item, then its body, then its texts. NULL without memory. */
static struct shelf_item *item_new(struct span id, struct span owner, int64_t at_ms, struct span body)
{
    struct shelf_item *self = malloc(sizeof(*self) + body.len + id.len + owner.len + 2);
    char *at = (char *)(self + 1);

    if (!self) {
        return NULL;
    }
    *self = (struct shelf_item){ .at_ms = at_ms, .body = { at, body.len } };
    memcpy(at, body.ptr, body.len);
    self->id = at + body.len;
    memcpy(self->id, id.ptr, id.len);
    self->id[id.len] = '\0';
    self->owner = self->id + id.len + 1;
    memcpy(self->owner, owner.len ? owner.ptr : "", owner.len);
    self->owner[owner.len] = '\0';
    return self;
}

/* What points to the item of that id, or to the end of the list. */
static struct shelf_item **place_of(struct kind *kind, struct span id)
{
    struct shelf_item **at = &kind->first;

    while (*at && !span_is_text(id, (*at)->id)) {
        at = &(*at)->next;
    }
    return at;
}

/* Takes the item. */
static void item_place(struct kind *kind, struct shelf_item *item)
{
    struct shelf_item **at = place_of(kind, span_from(item->id));
    struct shelf_item *old = *at;

    item->next = old ? old->next : NULL;
    *at = item;
    kind->items_n += old ? 0 : 1;
    free(old);
}

/* --- opening --------------------------------------------------------------------------------- */

static int format_check(struct shelf *self)
{
    int format = 0;
    int r = database_format(self->db, FORMAT, &format);

    if (r || format == FORMAT) {
        return r;
    }
    self->is_new = true;
    r = database_exec(self->db, "BEGIN IMMEDIATE");
    r = r ? r : database_exec(self->db, schema_sql);
    r = r ? r : database_exec(self->db, "PRAGMA user_version = 1");
    r = r ? r : database_exec(self->db, "COMMIT");
    return r > 0 ? FAULT(-EIO) : r;
}

static int statements_prepare(struct shelf *self)
{
    for (size_t i = 0; i < STATEMENTS_N; i++) {
        int rc = sqlite3_prepare_v3(self->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &self->prepared[i], NULL);

        if (rc != SQLITE_OK) {
            return database_fault(rc);
        }
    }
    return 0;
}

static struct span column_span(sqlite3_stmt *stmt, int at)
{
    const void *bytes = sqlite3_column_blob(stmt, at);

    return (struct span){ bytes, bytes ? (size_t)sqlite3_column_bytes(stmt, at) : 0 };
}

/* A record that cannot be read as msgpack would be our own: the file was changed by others. */
static int row_take(struct shelf *self, sqlite3_stmt *stmt)
{
    int64_t kind = sqlite3_column_int64(stmt, 0);
    struct span body = column_span(stmt, 4);
    struct shelf_item *item;

    if (kind < 0 || kind >= SHELF_KINDS || !wire_check(body.ptr, body.len, DEPTH_MAX)) {
        return FAULT(-EUCLEAN);
    }
    item = item_new(column_span(stmt, 1), column_span(stmt, 2), sqlite3_column_int64(stmt, 3), body);
    if (!item) {
        return FAULT(-ENOMEM);
    }
    item_place(&self->kinds[kind], item);
    return 0;
}

static int all_read(struct shelf *self)
{
    sqlite3_stmt *stmt = self->prepared[ITEM_ALL];
    int r = 0;
    int rc;

    while (!r && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        r = row_take(self, stmt);
    }
    sqlite3_reset(stmt);
    return r || rc == SQLITE_DONE ? r : database_fault(rc);
}

int shelf_open(const char *path, const size_t limits[SHELF_KINDS], struct shelf **ret_shelf)
{
    CLEANUP(shelf_close) struct shelf *self = mem_new(sizeof(*self));
    int r = database_open(path, &self->db);

    for (unsigned i = 0; i < SHELF_KINDS; i++) {
        self->kinds[i].most = limits[i];
    }
    r = r ? r : format_check(self);
    r = r ? r : statements_prepare(self);
    r = r ? r : all_read(self);
    if (r) {
        return r;
    }
    *ret_shelf = TAKE(self);
    return 0;
}

void shelf_close(struct shelf **shelf_p)
{
    struct shelf *self = *shelf_p;

    if (!self) {
        return;
    }
    for (size_t i = 0; i < STATEMENTS_N; i++) {
        sqlite3_finalize(self->prepared[i]);
    }
    sqlite3_close(self->db);
    for (unsigned i = 0; i < SHELF_KINDS; i++) {
        struct shelf_item *item;

        while ((item = self->kinds[i].first) != NULL) {
            self->kinds[i].first = item->next;
            free(item);
        }
    }
    free(self);
    *shelf_p = NULL;
}

static int probe(void *arg)
{
    struct shelf *self = arg;

    return database_probe(self->db);
}

void shelf_watch(struct shelf *self, struct disk_watch *watch, struct actor *actor)
{
    disk_watch_open(watch, actor, sqlite3_db_filename(self->db, "main"), probe, self);
    self->watch = watch;
}

bool shelf_is_new(const struct shelf *self)
{
    return self->is_new;
}

/* --- reading and changing -------------------------------------------------------------------- */

const struct shelf_item *shelf_first(const struct shelf *self, unsigned kind)
{
    return self->kinds[kind].first;
}

size_t shelf_count(const struct shelf *self, unsigned kind)
{
    return self->kinds[kind].items_n;
}

const struct shelf_item *shelf_find(const struct shelf *self, unsigned kind, struct span id)
{
    const struct shelf_item *item = self->kinds[kind].first;

    while (item && !span_is_text(id, item->id)) {
        item = item->next;
    }
    return item;
}

static int statement_run(struct shelf *self, sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    int r = rc == SQLITE_DONE ? 0 : database_outcome(rc);
    if (self->watch && r == SHELF_E_DISK) {
        disk_watch_refused(self->watch);
    }
    return r;
}

int shelf_put(struct shelf *self, unsigned kind, struct span id, struct span owner, int64_t at_ms, struct span body)
{
    struct kind *place = &self->kinds[kind];
    sqlite3_stmt *stmt = self->prepared[ITEM_PUT];
    struct shelf_item *item;
    int r;

    if (place->items_n >= place->most && !*place_of(place, id)) {
        return SHELF_E_FULL;
    }
    item = item_new(id, owner, at_ms, body);
    if (!item) {
        return FAULT(-ENOMEM);
    }
    sqlite3_bind_int64(stmt, 1, kind);
    sqlite3_bind_text(stmt, 2, item->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, item->owner, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 4, at_ms);
    sqlite3_bind_blob64(stmt, 5, item->body.ptr, item->body.len, SQLITE_STATIC);
    r = statement_run(self, stmt);
    if (r) {
        free(item);
        return r;
    }
    item_place(place, item);
    return 0;
}

int shelf_drop(struct shelf *self, unsigned kind, struct span id)
{
    struct shelf_item **at = place_of(&self->kinds[kind], id);
    struct shelf_item *item = *at;
    sqlite3_stmt *stmt = self->prepared[ITEM_DROP];
    int r;

    if (!item) {
        return 0;
    }
    sqlite3_bind_int64(stmt, 1, kind);
    sqlite3_bind_text(stmt, 2, item->id, -1, SQLITE_STATIC);
    r = statement_run(self, stmt);
    if (r) {
        return r;
    }
    *at = item->next;
    self->kinds[kind].items_n--;
    free(item);
    return 0;
}

int shelf_path(const char *name, char *ret_path, size_t len)
{
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    if (!state || snprintf(ret_path, len, "%s/db", state) >= (int)len) {
        return FAULT(-EINVAL);
    }
    if (mkdir(ret_path, 0700) && errno != EEXIST) {
        return FAULT(-errno);
    }
    return snprintf(ret_path, len, "%s/db/%s.sqlite", state, name) < (int)len ? 0 : FAULT(-ENAMETOOLONG);
}
