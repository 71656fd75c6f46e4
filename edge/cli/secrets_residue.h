/*
 * secrets_residue: secrets in files that nothing else refers to: generated ones, those of old
 * releases, and .env. Pure.
 */
#ifndef EDGE_CLI_SECRETS_RESIDUE_H
#define EDGE_CLI_SECRETS_RESIDUE_H

#include "bus/base/span.h"
#include "edge/cli/secrets_report.h"

/* A models.json: keys of providers, and headers whose names say that they are secret. */
void secrets_residue_models(struct secrets_report *report, const char *file, struct span doc);
/* An auth.json: API keys. */
void secrets_residue_legacy(struct secrets_report *report, const char *file, struct span doc);
/* A .env: values of variables in which credentials usually stand. */
void secrets_residue_env(struct secrets_report *report, const char *file, struct span text);

#endif
