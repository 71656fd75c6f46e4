/*
 * embeddings: the shapes of POST /v1/embeddings. Pure.
 */
#ifndef EDGE_HTTP_EMBEDDINGS_H
#define EDGE_HTTP_EMBEDDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "edge/http/openai.h"

#define EMBEDDINGS_BODY_MAX (5U * 1024U * 1024U)
#define EMBEDDINGS_INPUTS_MAX 128U
#define EMBEDDINGS_CHARS_MAX 8192U      /* of one input */
#define EMBEDDINGS_CHARS_ALL_MAX 65536U /* of all */

/* Spans point into the packs that were filled. */
struct embeddings_request {
    struct span inputs;   /* packed list of texts */
    struct span model;    /* as asked, for the answer */
    struct span agent_id; /* empty: the default agent */
    bool is_base64;
    uint32_t dimensions; /* 0: the model's own */
};
/* 0, OPENAI_E_REFUSED or a fault. */
int embeddings_parse(struct span body, struct pack *raw, struct pack *made, struct embeddings_request *ret_request,
                     struct openai_error *error);

/* Appends the answer; `vectors` is a packed list of lists of numbers. 0, -ENOMEM or -EPROTO. */
int embeddings_write(struct span vectors, struct span model, bool is_base64, uint64_t tokens, struct text_buf *out);

#endif
