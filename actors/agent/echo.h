/*
 * echo: the built-in provider `builtin/echo`. It needs no key and no network, so that a
 * fresh install talks before any account exists.
 *
 * It answers the text of the last user message behind "Echo: ", word by word, one step
 * of the loop each; an answer of more than ECHO_STEPS_MAX words takes several words per
 * step. Tokens are counted as words: those of all messages in, those of the answer out.
 *
 * Behind the results of tools it answers those. It calls a tool when it must, that is when
 * tool_choice is "required" or names one: the first, or that one, with the text of the last
 * message for every text argument that the tool requires.
 */
#ifndef ACTORS_AGENT_ECHO_H
#define ACTORS_AGENT_ECHO_H

#include "actors/agent/provider.h"
#include "bus/json.h"

#define ECHO_STEPS_MAX 256

int echo_turn_start(uv_loop_t *loop, const struct provider_request *request, const struct provider_events *events,
                    void *arg, struct provider_turn **ret_turn);

/* Runs of bytes that are no white space. */
uint64_t echo_words_count(struct span text);

#endif
