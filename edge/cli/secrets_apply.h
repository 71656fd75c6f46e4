/*
 * secrets_apply: carries out a plan: all of it or nothing, only when everything that it leads to
 * can be resolved, and without a copy of what was there before.
 *
 * Functions that return an exit code have already explained themselves when it is not
 * CLI_EXIT_OK.
 */
#ifndef EDGE_CLI_SECRETS_APPLY_H
#define EDGE_CLI_SECRETS_APPLY_H

#include <stdbool.h>

#include "bus/pack.h"
#include "edge/cli/cli.h"
#include "edge/cli/secrets_plan.h"

struct secrets_apply_opts {
    bool is_write;        /* else a dry run */
    bool is_exec_allowed; /* programs of providers may be run */
};

struct secrets_result {
    bool is_changed;
    bool is_complete;    /* every reference was looked at */
    struct pack changed; /* packed array of the files, sorted */
    size_t changed_n;
    size_t refs_checked_n;
    size_t refs_skipped_n;
    struct pack warnings; /* packed array of texts */
    size_t warnings_n;
};
void secrets_result_init(struct secrets_result *self);
void secrets_result_deinit(struct secrets_result *self);

/* Reads and checks a plan file. `plan` must be deinitialised whatever is returned. Returns an exit code. */
int secrets_apply_read(const char *path, struct secrets_plan *plan);

/* Returns an exit code. */
int secrets_apply(const struct cli *cli, const struct secrets_plan *plan, const struct secrets_apply_opts *opts,
                  struct secrets_result *result);

/* Appends {mode, changed, changedFiles, checks, refsChecked, skippedExecRefs, warningCount, warnings}. */
void secrets_result_pack(const struct secrets_result *self, bool is_write, struct pack *out);

/* The same for people. */
void secrets_result_print(const struct secrets_result *self, bool is_write);

#endif
