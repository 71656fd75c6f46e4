/*
 * store: what auth keeps for good: its database and the key from which device tokens are
 * derived, so that the database itself holds nothing that lets anybody in.
 *
 * Every change is one transaction: store_begin, changes, store_finish. devices, requests
 * and bootstrap hold the tables; they open no transactions of their own.
 */
#ifndef ACTORS_AUTH_STORE_H
#define ACTORS_AUTH_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/auth/db.h"
#include "actors/auth/secret.h"

enum {
    STORE_E_FULL = DB_E_FULL, /* the disk is full or failing: nothing was changed */
};

struct store {
    struct db db;
    struct secret_key token_key;
};

/* Opens or creates the database and, beside it, "<path>.key" (both 0600). 0 or a fault;
 * -EPROTONOSUPPORT when a newer version wrote it. */
int store_open(const char *path, struct store **ret_store);
void store_close(struct store **store_p);

int store_begin(struct store *self);
/* Commits when `r` is 0, else undoes; returns what came of it. */
int store_finish(struct store *self, int r);

/*
 * The generation of decisions: one more than last time when `settings` (a description of
 * what decisions depend on) differs from last time, else the same.
 */
int store_generation(struct store *self, struct span settings, uint64_t *ret_generation);

/* Something that is done once in the life of a database. */
int store_mark_read(struct store *self, const char *name, bool *ret_is_done);
int store_mark(struct store *self, const char *name);

#endif
