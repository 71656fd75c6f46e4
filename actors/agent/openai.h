/*
 * openai: turns at a provider that speaks the chat-completions API, streamed.
 */
#ifndef ACTORS_AGENT_OPENAI_H
#define ACTORS_AGENT_OPENAI_H

#include "actors/agent/http_client.h"
#include "actors/agent/provider.h"

int openai_turn_start(struct http_client *http, const struct provider_setup *setup,
                      const struct provider_request *request, const struct provider_events *events, void *arg,
                      struct provider_turn **ret_turn);

#endif
