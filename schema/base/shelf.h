/*
 * shelf: the records of one actor, in its memory and in its database at the same time.
 *
 * A record is one msgpack value under a kind (a small number that the actor chooses) and
 * an id. All of them are in memory, in the order of their making; every change is
 * committed before the call returns, and leaves memory as it was when that fails.
 */
#ifndef SCHEMA_BASE_SHELF_H
#define SCHEMA_BASE_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "schema/base/disk_watch.h"

#define SHELF_KINDS 8

struct shelf;

struct shelf_item {
    struct shelf_item *next;
    int64_t at_ms; /* whatever the actor orders or expires by */
    char *id;
    char *owner; /* whom it belongs to; "" for nobody */
    struct span body;
};

enum {
    SHELF_E_DISK = 1, /* the disk is full or failing, or the file is locked: nothing was changed */
    SHELF_E_FULL = 2, /* as many of the kind as it may hold */
};

/* Opens or creates the file (0600) and reads it. Records of kind `k` are at most
 * `limits[k]`. 0 or a fault; -EPROTONOSUPPORT when a newer version wrote it. */
int shelf_open(const char *path, const size_t limits[SHELF_KINDS], struct shelf **ret_shelf);
void shelf_close(struct shelf **shelf_p);
/* From now on the operator is told while the disk refuses changes. `watch` is part of the
 * actor's state, and closed in its deinit; it lives longer than the shelf. */
void shelf_watch(struct shelf *self, struct disk_watch *watch, struct actor *actor);
/* The file was made by this very call of shelf_open. */
bool shelf_is_new(const struct shelf *self);

/* Oldest first; NULL when there is none. Valid until the kind changes. */
const struct shelf_item *shelf_first(const struct shelf *self, unsigned kind);
size_t shelf_count(const struct shelf *self, unsigned kind);
const struct shelf_item *shelf_find(const struct shelf *self, unsigned kind, struct span id);

/* Adds it, or replaces the one of that id in place. 0, an outcome, or a fault. */
int shelf_put(struct shelf *self, unsigned kind, struct span id, struct span owner, int64_t at_ms, struct span body);
/* Removes it; 0 also when it is not there. */
int shelf_drop(struct shelf *self, unsigned kind, struct span id);

/* The path of an actor's database below the state directory, whose folder is made. 0 or a fault. */
int shelf_path(const char *name, char *ret_path, size_t len);

#endif
