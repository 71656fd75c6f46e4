/*
 * snapshot: one version of the config, from the text of the file to what is in force.
 * Pure; the caller brings the text and the environment.
 */
#ifndef ACTORS_CONFIG_SNAPSHOT_H
#define ACTORS_CONFIG_SNAPSHOT_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/config_env.h"
#include "schema/base/config_file.h"
#include "schema/base/gateway_config.h"

struct snapshot {
    bool is_file_present;
    char hash[CONFIG_FILE_HASH_LEN]; /* of the text; empty without a file */
    struct text_buf text;            /* the file as it is */
    struct pack source;              /* as written */
    struct pack resolved;            /* with ${NAME} replaced */
    struct pack effective;           /* with secrets, defaults and overrides: what config_read reads */
    struct pack unresolved;          /* packed array: paths of references that lead nowhere */
};

struct snapshot_opts {
    const char *path; /* names the file in errors */
    const char *state_dir;
    struct config_lookup lookup;
};

enum {
    SNAPSHOT_E_REFUSED = 1, /* the text cannot be used; see the error */
};

void snapshot_init(struct snapshot *self);
/* Wipes secrets. */
void snapshot_deinit(struct snapshot *self);
/*
 * Builds from `text` (taken over; data NULL: there is no file). On anything but 0 `self`
 * must only be deinitialized.
 */
int snapshot_build(struct snapshot *self, struct text_buf *text, const struct snapshot_opts *opts,
                   struct config_error *error);

#endif
