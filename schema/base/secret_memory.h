/*
 * secret_memory: where values of secrets are kept. Pages of their own: never in a core dump
 * (MADV_DONTDUMP), not copied into a child (MADV_DONTFORK), locked into memory as far as
 * RLIMIT_MEMLOCK goes, wiped when they are given back.
 */
#ifndef SCHEMA_BASE_SECRET_MEMORY_H
#define SCHEMA_BASE_SECRET_MEMORY_H

#include <stdbool.h>

#include "bus/base/span.h"

struct secret_pages;

/* All values of one set; they go together. Zeroed is empty. */
struct secret_arena {
    struct secret_pages *pages; /* newest first */
};

/* A copy of `bytes` with a terminating zero behind it. An empty span when there is no memory. */
struct span secret_arena_add(struct secret_arena *self, struct span bytes);
/* Room for `len` bytes, zeroed; NULL when there is no memory. */
char *secret_arena_room(struct secret_arena *self, size_t len);
void secret_arena_deinit(struct secret_arena *self);

/*
 * For a process that holds secrets: no core dump of it is ever written, and no other process
 * of the same user may read its memory (PR_SET_DUMPABLE). Not for the programs it starts.
 */
void secret_memory_guard(void);

#endif
