/*
 * openresponses: the body of POST /v1/responses, brought into the messages and tools of
 * chat completions. Pure.
 */
#ifndef EDGE_HTTP_OPENRESPONSES_H
#define EDGE_HTTP_OPENRESPONSES_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/pack.h"
#include "edge/http/endpoints.h"
#include "edge/http/openai.h"

#define OPENRESPONSES_ITEMS_MAX 4096U

/* Spans point into the packs that were filled. */
struct openresponses_request {
    struct span messages;    /* packed array, at least one message of a user or a tool */
    struct span tools;       /* packed array, or empty */
    struct span tool_choice; /* packed, or empty */
    struct span response_format;
    struct span model;       /* as asked, for the answer */
    struct span agent_id;    /* empty: the default agent */
    struct span user;        /* empty when absent */
    struct span previous_id; /* empty when absent */
    bool is_streamed;
    bool has_max_tokens;
    bool has_temperature;
    bool has_top_p;
    bool has_parallel;
    bool is_parallel;
    uint64_t max_tokens;
    double temperature;
    double top_p;
};

/*
 * Parses and checks a request body. `raw` receives it as it is and needs room for about as
 * many bytes as the body has, `made` what was made of it. 0, OPENAI_E_REFUSED or a fault.
 */
int openresponses_parse(struct span body, const struct endpoint *rules, struct pack *raw, struct pack *made,
                        struct openresponses_request *ret_request, struct openai_error *error);

#endif
