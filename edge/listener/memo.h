/*
 * memo: the JSON of the newest large answer. Many clients ask for the same snapshot
 * (`health` is one shared body until it changes); comparing its bytes is many times
 * cheaper than writing them as JSON again.
 */
#ifndef EDGE_LISTENER_MEMO_H
#define EDGE_LISTENER_MEMO_H

#include "bus/base/span.h"
#include "bus/json.h"

struct memo {
    struct text_buf body;
    struct text_buf json;
};

void memo_deinit(struct memo *self);

/* Appends `body`, one packed value, to `out` as JSON. As json_from_value. */
int memo_json(struct memo *self, struct span body, struct text_buf *out);

#endif
