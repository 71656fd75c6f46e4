/*
 * config_sources: the config file and everything it includes, as one document.
 *
 * `{ $include: "file" }` stands for what is in the file, `{ $include: ["a", "b"] }` for
 * both merged in order; other keys beside it are laid over that. Maps merge key by key,
 * lists are joined, of anything else the later one counts. A path is relative to the file
 * that names it, and must lead, links resolved, into the directory of the config file or
 * one of the roots that OPENCLAW_INCLUDE_ROOTS names.
 */
#ifndef SCHEMA_BASE_CONFIG_SOURCES_H
#define SCHEMA_BASE_CONFIG_SOURCES_H

#include <limits.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/config_env.h"
#include "schema/base/config_file.h"
#include "schema/base/json5_scan.h"

#define CONFIG_INCLUDE_DEPTH_MAX 10U
#define CONFIG_SOURCES_MAX 256U               /* files read for one document */
#define CONFIG_SOURCES_BYTES_MAX (16U << 20U) /* of all of them */

struct config_source {
    char path[PATH_MAX]; /* the config file as it was named; an include with its links resolved */
    struct text_buf text;
    struct pack doc;          /* as written */
    struct json5_step *mount; /* where in the document it stands; keys borrowed from other sources' docs */
    size_t mount_n;
    bool is_alone;       /* the only file at its place, and nothing laid over it */
    bool is_beside;      /* other keys stand beside the $include that names it, and are laid over it */
    unsigned long outer; /* the source that names it; its own index for the config file */
};

/* A text that counts instead of what the file holds: a change on trial. */
struct config_overlay {
    const struct config_overlay *next; /* of another file; NULL: there is none */
    const char *path;                  /* as the source has it */
    struct span text;
};

struct config_sources {
    struct config_source **items; /* the config file first */
    size_t n;
    size_t bytes;
    const struct config_overlay *overlay; /* borrowed for loading; NULL: the files alone */
};
void config_sources_deinit(struct config_sources *self);

enum {
    CONFIG_SOURCES_E_ABSENT = 1,  /* there is no config file; nothing was read */
    CONFIG_SOURCES_E_REFUSED = 2, /* see the error */
};

/* Reads everything and appends the document, without substitution. On a refusal `self` holds what
 * was read so far, so that those files can be watched for a repair. */
int config_sources_load(const char *path, struct config_lookup lookup, struct config_sources *self, struct pack *doc,
                        struct config_error *error);
/* The same when the text of the config file is at hand; `text` is taken over. */
int config_sources_load_text(const char *path, struct text_buf *text, struct config_lookup lookup,
                             struct config_sources *self, struct pack *doc, struct config_error *error);

/*
 * The source in which the most of the path is written, and where; the first of the
 * document when nothing is. Never NULL once something was loaded.
 */
const struct config_source *config_sources_find(const struct config_sources *self, const struct json5_step *steps,
                                                size_t steps_n, struct json5_item *ret_item, size_t *ret_found);

/* SHA-256 over all files in order: changes when any of them does. 0 or a fault. */
int config_sources_hash(const struct config_sources *self, char ret_hash[CONFIG_FILE_HASH_LEN]);

#endif
