/*
 * config_store: puts a new text in the place of a config file: whole or not at all, only
 * over the bytes that the change was made from, readable by nobody else.
 */
#ifndef SCHEMA_BASE_CONFIG_STORE_H
#define SCHEMA_BASE_CONFIG_STORE_H

#include <limits.h>

#include "bus/base/span.h"
#include "schema/base/config_file.h"

#define CONFIG_STORE_SHRINK_MIN 512U /* bytes from which on losing more than half is refused */
#define CONFIG_STORE_BACKUPS 5       /* <path>.bak, .bak.1 to .bak.4 */
#define CONFIG_STORE_REJECTED 8      /* <path>.rejected.0 to .7, the oldest replaced */

enum {
    CONFIG_STORE_E_CHANGED = 1, /* the file no longer holds what it was read as */
    CONFIG_STORE_E_REFUSED = 2, /* cannot be written here, or looks like a loss; see the error */
};

/* Who may read what is written. */
enum config_store_rights {
    CONFIG_STORE_OURS,   /* nobody else: the config holds secrets */
    CONFIG_STORE_SHARED, /* whoever may read the file that is there: one that is included, which others may use as well
                          */
};

/*
 * Replaces the file by `text`. `before` is what it held when the change was made; an empty
 * pointer means there was no file. The old file becomes <path>.bak, which nobody else may read. 0 means it is on the
 * disk.
 */
int config_store_replace(const char *path, struct span before, struct span text, enum config_store_rights rights,
                         struct config_error *error);

/* May the file at that path be replaced at all? 0, CONFIG_STORE_E_CHANGED when it is (not) there against `is_there`, or
 * CONFIG_STORE_E_REFUSED. Asked before anything else is written for it; config_store_replace asks again. */
int config_store_place_check(const char *path, bool is_there, struct config_error *error);

/* Would writing `text` over `before` throw away most of it? */
bool config_store_is_loss(struct span before, struct span text);

/* Keeps a text that was not accepted beside the file. False when that is not possible. */
bool config_store_reject(const char *path, struct span text, char ret_path[PATH_MAX]);

/* Keeps a text that is about to be replaced, as <path>.clobbered.TIME. False when that is not possible. */
bool config_store_aside(const char *path, struct span text, char ret_path[PATH_MAX]);

/* Writes a file whole or not at all, 0600, synced; whatever was there is replaced. 0 or a fault. */
int config_store_put(const char *path, struct span text);

#endif
