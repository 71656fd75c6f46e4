/*
 * secrets_files: the files of the state directory that `openclaw secrets` rewrites beside the
 * config: read once, changed in memory, written together.
 *
 * Every new text is on the disk under a name of its own before the first file is replaced;
 * each replacement is one rename over the bytes that were read, so no file is ever torn, and
 * what was written over stays nowhere on the disk. What goes wrong in between puts the files
 * back that were replaced already.
 */
#ifndef EDGE_CLI_SECRETS_FILES_H
#define EDGE_CLI_SECRETS_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "bus/json.h"
#include "schema/base/config_file.h"

#define SECRETS_FILES_MAX 1024U
#define SECRETS_FILE_BYTES_MAX (5U << 20U)

struct secrets_file {
    char path[PATH_MAX];
    bool is_there;
    struct text_buf before;
    struct text_buf after; /* meaningful with is_changed */
    bool is_changed;
    char fresh[PATH_MAX]; /* where the new text lies; empty: nowhere */
    bool is_replaced;
};

struct secrets_files {
    struct secrets_file *items[SECRETS_FILES_MAX];
    size_t n;
};

enum {
    SECRETS_FILES_E_REFUSED = 1, /* see the error */
    SECRETS_FILES_E_TORN = 2,    /* likewise; some files could not be put back */
};

/* Wipes what was read, and removes what was not put in place. */
void secrets_files_deinit(struct secrets_files *self);

/* A whole regular file of at most `max` bytes into one allocation, which the caller wipes; an absent file is 0 with
 * ret_is_there false. */
int secrets_file_read(const char *path, size_t max, struct text_buf *text, bool *ret_is_there,
                      struct config_error *error);
void secrets_text_wipe(struct text_buf *text);

/* The file of that path, read when it is asked for first. */
int secrets_files_get(struct secrets_files *self, const char *path, struct secrets_file **ret_file,
                      struct config_error *error);
/* What it shall hold: `text` is taken over. The same as before is no change. */
void secrets_file_change(struct secrets_file *self, struct text_buf *text);
/* What it shall hold as far as is known now. */
struct span secrets_file_text(const struct secrets_file *self);

/*
 * Calls `on` for each file "<path>.0123abcd<ending>": what a writer of `path` that was killed left behind, or what one
 * is at work on.
 */
void secrets_files_left_over(const char *path, const char *ending, void (*on)(void *arg, const char *path), void *arg);

/* Writes the new texts aside. Nothing is replaced yet. */
int secrets_files_stage(struct secrets_files *self, struct config_error *error);
/* Puts them in place; on a refusal everything is as it was. */
int secrets_files_commit(struct secrets_files *self, struct config_error *error);
/* Puts the old texts back after a commit. False when some could not be; the error names them. */
bool secrets_files_undo(struct secrets_files *self, struct config_error *error);

#endif
