/*
 * embed_wire: the JSON of the embeddings API, both ways. No network here.
 */
#ifndef ACTORS_AGENT_EMBED_WIRE_H
#define ACTORS_AGENT_EMBED_WIRE_H

#include <stdint.h>

#include "bus/json.h"
#include "bus/pack.h"

#define EMBED_DIMENSIONS_MAX 8192U

/* `inputs`: packed list of texts. `dimensions` 0: the model's own. 0 or -ENOMEM. */
int embed_request_build(const char *model, struct span inputs, uint32_t dimensions, struct text_buf *out);

enum {
    EMBED_WIRE_E_RUBBISH = 1, /* not what the API promises for so many inputs */
};
/* Packs the vectors, in the order of the inputs, as a list of lists of numbers. */
int embed_answer_read(struct span body, uint32_t inputs_n, struct pack *out, uint64_t *ret_tokens);

#endif
