/*
 * approvals_file: exec-approvals.json, the user's file that says what may run on this
 * machine without being asked. The approval actor and the command line read and write it;
 * a node program on the same machine may do so as well, so nobody keeps it in memory.
 */
#ifndef SCHEMA_BASE_APPROVALS_FILE_H
#define SCHEMA_BASE_APPROVALS_FILE_H

#include <limits.h>
#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"

#define APPROVALS_HASH_LEN 65 /* SHA-256 as hex, with terminator */
#define APPROVALS_FILE_MAX 4194304U

struct approvals_file {
    char path[PATH_MAX];
    bool exists;
    char hash[APPROVALS_HASH_LEN]; /* of the bytes on disk, of nothing when there is no file */
    struct pack content;           /* the normalized file, one map */
};

struct approvals_error {
    char text[512]; /* what is wrong, and what to do */
};

enum {
    APPROVALS_E_REFUSED = 1, /* see the error; nothing was changed */
};

void approvals_file_init(struct approvals_file *self);
void approvals_file_deinit(struct approvals_file *self);

/* Reads the file of a state directory. A missing one is an empty one. 0,
 * APPROVALS_E_REFUSED for one that cannot be read or understood, or a fault. */
int approvals_file_load(struct approvals_file *self, const char *state_dir, struct approvals_error *error);

/* The normalized `file` with the socket of the one on disk, or of a new one, where it has
 * none. Appends. 0 or a fault. */
int approvals_file_complete(const struct approvals_file *self, struct span file, struct pack *out);

/* Replaces the file at once (0600) and loads what is there now. `content` is a packed map. */
int approvals_file_save(struct approvals_file *self, struct span content, struct approvals_error *error);

/* Appends {path, exists, hash, file}, without the socket's secret. */
void approvals_file_show(const struct approvals_file *self, struct pack *out);

#endif
