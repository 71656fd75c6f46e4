/*
 * frame: the JSON of the protocol's frames. Pure: values in, text out. All writers: 0 or
 * -ENOMEM (-EPROTO for a body that is no msgpack).
 */
#ifndef EDGE_LISTENER_FRAME_H
#define EDGE_LISTENER_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/failure.h"
#include "bus/json.h"

/* Up to the payload, whose JSON and a closing "}" the caller writes. `id` is the raw JSON
 * text of the request's id. */
int frame_answer_open(struct span id, struct text_buf *out);
/* `details` of the failure lose keys that begin with "_". */
int frame_refusal(struct span id, const struct failure *failure, unsigned protocol, struct text_buf *out);

/* An event without its sequence number and closing brace: {"type":"event","event":…,"payload":…
 * Keys of the payload that begin with "_" are left out; the pairs of the packed map `more` (may be
 * empty) come behind the others. */
int frame_event_open(struct span name, struct span payload, struct span more, struct text_buf *out);

#endif
