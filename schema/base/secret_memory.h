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
 * For a process that holds secrets, and those that it starts: a core dump of it has no memory in it,
 * neither these pages nor the copies that a secret leaves on its way (messages, TLS). What is
 * left (registers, threads, mapped files) tells where it died.
 */
void secret_memory_guard(void);

#endif
