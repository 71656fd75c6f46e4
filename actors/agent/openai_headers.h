/*
 * openai_headers: the headers of a request to a provider of this API, with its key.
 */
#ifndef ACTORS_AGENT_OPENAI_HEADERS_H
#define ACTORS_AGENT_OPENAI_HEADERS_H

#include <stddef.h>

#include "actors/agent/provider.h"

/* Lines "name: value" up to a NULL; they hold the key. */
struct openai_headers {
    char **lines;
    size_t n;
};

/* `self` is zeroed. 0 or a fault; deinit copes with either. */
int openai_headers_build(const struct provider_setup *setup, const char *accept, struct openai_headers *self);
void openai_headers_deinit(struct openai_headers *self);

#endif
