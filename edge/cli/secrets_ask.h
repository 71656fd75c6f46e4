/*
 * secrets_ask: the questions of `openclaw secrets configure` about secret providers.
 */
#ifndef EDGE_CLI_SECRETS_ASK_H
#define EDGE_CLI_SECRETS_ASK_H

#include "bus/pack.h"
#include "edge/cli/cli_prompt.h"
#include "schema/base/secret_ref.h"

/* Asks for the source of a provider; `now` is what it is, or SECRET_SOURCES_N. 0 or CLI_PROMPT_E_ENDED. */
int secrets_ask_source(unsigned now, enum secret_source *ret_source);

/*
 * Asks for everything else about a provider and appends its entry. `now` is the entry as it is, whose values are
 * offered when it is of the same source; empty for a new one. 0 or CLI_PROMPT_E_ENDED.
 */
int secrets_ask_provider(enum secret_source source, struct span now, struct pack *out);

/* "env (2 variables)", "file (json)", "exec (json or text)": a provider in a few words. Returns `out`. */
const char *secrets_ask_hint(struct span entry, char *out, size_t out_size);

#endif
