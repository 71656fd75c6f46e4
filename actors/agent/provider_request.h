/*
 * provider_request: what the configuration says about the requests to a provider beyond its URL and its key:
 * headers, another way to authenticate, TLS, a proxy (models.providers.<id>.headers and .request). Pure.
 */
#ifndef ACTORS_AGENT_PROVIDER_REQUEST_H
#define ACTORS_AGENT_PROVIDER_REQUEST_H

#include "actors/agent/provider.h"
#include "schema/base/secret_memory.h"

/* Why the provider cannot be asked: "models.providers.ID.PATH TEXT". The first one counts. */
void provider_problem_set(struct provider_setup *setup, const char *path, const char *text);

/* From the provider's packed entry; values are copied into `arena`. What cannot be used becomes its problem. */
void provider_request_read(struct secret_arena *arena, struct span entry, struct provider_setup *setup);

#endif
