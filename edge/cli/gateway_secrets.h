/*
 * gateway_secrets: can the gateway's own token and password be resolved? Asked before anything
 * is started, so that a gateway nobody could get into is never there.
 */
#ifndef EDGE_CLI_GATEWAY_SECRETS_H
#define EDGE_CLI_GATEWAY_SECRETS_H

#include "schema/base/config_document.h"

/*
 * Resolves those references of gateway.auth that are in use, and forgets the values. A provider that
 * fails is asked again a few times. CLI_EXIT_OK; else it has said which path and why:
 * CLI_EXIT_CONFIG, or CLI_EXIT_TRY_LATER when the same start may work another time.
 */
int gateway_secrets_check(const char *config_path);

/* The same for one look, without running programs that know secrets. 0, 1 with the error, which begins with the place,
 * or a fault. */
int gateway_secrets_look(const struct config_document *document, struct config_error *error);

#endif
