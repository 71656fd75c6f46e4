/*
 * secrets_configure: the conversation of `openclaw secrets configure`, part by part.
 *
 * Functions that return an exit code have already explained themselves when it is not
 * CLI_EXIT_OK.
 */
#ifndef EDGE_CLI_SECRETS_CONFIGURE_H
#define EDGE_CLI_SECRETS_CONFIGURE_H

#include <stdbool.h>

#include "bus/json.h"
#include "bus/pack.h"
#include "edge/cli/cli.h"
#include "edge/cli/secrets_candidates.h"
#include "schema/base/agent_id.h"
#include "schema/base/config_document.h"

struct secrets_configure {
    struct cli *cli;
    struct config_document document;
    struct text_buf staged;    /* the config with the providers as they shall be, as JSON */
    struct pack staged_doc;    /* the same, as a value */
    struct pack staged_values; /* the same, variables replaced */
    char agent[AGENT_ID_MAX + 1];
    struct pack profiles; /* what the agent's store holds */
    struct secrets_candidates candidates;
    struct pack plan;
    bool is_exec_allowed;
};

/* Reads `staged` anew. Returns an exit code. */
int secrets_configure_restage(struct secrets_configure *self);

/* Asks about providers until that is done: they are in `staged`. Returns an exit code. */
int secrets_configure_providers(struct secrets_configure *self);
/* Asks about credentials until that is done: they are chosen among the candidates. Returns an exit code. */
int secrets_configure_credentials(struct secrets_configure *self);

/* The person has no more answers; or we broke. Both return an exit code. */
int secrets_configure_end(void);
int secrets_configure_break(int fault);

#endif
