/*
 * snapshot: one version of the config, from the files to what is in force. The caller
 * brings the environment.
 */
#ifndef ACTORS_CONFIG_SNAPSHOT_H
#define ACTORS_CONFIG_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/config/secrets.h"
#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/config_env.h"
#include "schema/base/config_document.h"
#include "schema/base/config_file.h"
#include "schema/base/config_issues.h"
#include "schema/base/gateway_config.h"

/* Where the gateway listens. */
struct snapshot_place {
    char host[64]; /* numeric; empty: the tailnet, which has no address here now */
    uint16_t port;
};

struct snapshot {
    struct config_document document; /* as written, and with ${NAME} replaced */
    struct pack effective;           /* with defaults and overrides: what config_read reads, secrets laid into it */
    struct secret_set secrets;       /* the references of the document; values come by an activation */
    struct snapshot_place place;
};

struct snapshot_opts {
    const char *path; /* names the file in errors */
    const char *state_dir;
    struct config_lookup lookup;
    const struct secret_set
        *before;                  /* what is in force, whose profiles stand in for files that cannot be read; or NULL */
    struct config_issues *issues; /* gets what is wrong with the document, or NULL */
};

enum {
    SNAPSHOT_E_REFUSED = 1, /* the text cannot be used; see the error */
};

void snapshot_init(struct snapshot *self);
/* Wipes secrets. */
void snapshot_deinit(struct snapshot *self);
/*
 * Reads the file at `opts->path` and all it includes; an absent one is an empty config. On
 * anything but 0 `self` must only be looked at for the files it read, and deinitialized.
 */
int snapshot_load(struct snapshot *self, const struct snapshot_opts *opts, struct config_error *error);

#endif
