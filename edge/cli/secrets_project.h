/*
 * secrets_project: what the files will hold once a plan is carried out. Reads them, changes
 * them in memory, and writes nothing.
 */
#ifndef EDGE_CLI_SECRETS_PROJECT_H
#define EDGE_CLI_SECRETS_PROJECT_H

#include <stdbool.h>

#include "bus/pack.h"
#include "edge/cli/cli_paths.h"
#include "edge/cli/secrets_files.h"
#include "edge/cli/secrets_plan.h"
#include "edge/cli/secrets_scrub.h"
#include "schema/base/config_document.h"

struct secrets_project {
    const struct cli_paths *paths;
    const struct secrets_plan *plan;
    const struct config_document *document; /* the config as it is */
    struct text_buf config;                 /* the config as it shall be, as JSON */
    bool is_config_changed;
    struct pack source;   /* the same, as a value */
    struct pack resolved; /* the same, variables replaced */
    struct secrets_files files;
    struct secrets_values gone; /* values that move to where the references lead */
    char (*providers)[128];     /* of models, whose profiles are scrubbed */
    size_t providers_n;
    struct pack warnings; /* an open packed array of texts */
    size_t warnings_n;
};

enum {
    SECRETS_PROJECT_E_REFUSED = 1, /* see the error */
};

void secrets_project_init(struct secrets_project *self, const struct cli_paths *paths, const struct secrets_plan *plan,
                          const struct config_document *document);
/* Wipes everything. */
void secrets_project_deinit(struct secrets_project *self);

/* Everything but .env files, for which it must be known what the references lead to. */
int secrets_project_make(struct secrets_project *self, struct config_error *error);
/* A value that one of the plan's references leads to: whatever else holds it is a remainder. 0 or a fault. */
int secrets_project_moved(struct secrets_project *self, struct span value);
/* The .env files, without variables whose values have moved. */
int secrets_project_env(struct secrets_project *self, struct config_error *error);

void secrets_project_warn(struct secrets_project *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
