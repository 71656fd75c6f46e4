/*
 * tools: the function tools that a client offers, and its tool_choice, from both APIs to
 * the form of chat completions. Pure.
 */
#ifndef EDGE_HTTP_TOOLS_H
#define EDGE_HTTP_TOOLS_H

#include "bus/base/span.h"
#include "bus/pack.h"
#include "edge/http/openai.h"

#define TOOLS_MAX 128U
#define TOOLS_NAME_MAX 64U

/*
 * Appends the checked list as [{type: function, function: {…}}]. Responses may describe a
 * function without the inner object; both forms are taken. Empty list: nothing is
 * appended and `ret_n` is 0. 0, OPENAI_E_REFUSED or a fault.
 */
int tools_pack(struct span tools, struct pack *out, uint32_t *ret_n, struct openai_error *error);

/* Appends tool_choice for those tools (packed by tools_pack); nothing when it is absent. */
int tools_choice_pack(struct span choice, struct span tools, struct pack *out, bool *ret_has,
                      struct openai_error *error);

#endif
