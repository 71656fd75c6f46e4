/*
 * openresponses_items: `instructions` and `input` of POST /v1/responses as messages of chat
 * completions. Pure.
 */
#ifndef EDGE_HTTP_OPENRESPONSES_ITEMS_H
#define EDGE_HTTP_OPENRESPONSES_ITEMS_H

#include "bus/base/span.h"
#include "bus/pack.h"
#include "edge/http/openai.h"
#include "edge/http/parts.h"

/*
 * Appends one list. Calls of functions that follow each other, or an assistant's message,
 * become one message. reasoning and item_reference are left out. 0, OPENAI_E_REFUSED or a
 * fault.
 */
int openresponses_items_pack(struct span instructions, struct span input, struct parts *parts, struct pack *out,
                             struct openai_error *error);

#endif
