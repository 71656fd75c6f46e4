/*
 * openai_wire: the JSON of the chat-completions API, both ways. No network here.
 */
#ifndef ACTORS_AGENT_OPENAI_WIRE_H
#define ACTORS_AGENT_OPENAI_WIRE_H

#include "actors/agent/provider.h"
#include "bus/json.h"
#include "bus/pack.h"

/* Appends the request body as JSON. 0 or -ENOMEM. */
int openai_request_build(const struct provider_request *request, struct text_buf *out);

/* What one event of the stream said. Spans point into the scratch pack. */
struct openai_chunk {
    struct span text;          /* new text; empty when none */
    struct span finish_reason; /* empty while the answer goes on */
    struct span response_id;
    struct span error;      /* message of an error object; empty when it is none */
    struct span tool_calls; /* packed list of pieces of calls, or empty */
    bool has_error;
    bool has_tool_call;
    bool has_usage;
    struct provider_usage usage;
};

enum {
    OPENAI_WIRE_E_RUBBISH = 1, /* not JSON, or not a chunk of this API */
};
/* `scratch` is reset and must outlive the chunk. */
int openai_chunk_parse(struct span data, struct pack *scratch, struct openai_chunk *ret_chunk);

/* One element of `tool_calls`. */
void openai_piece_read(struct span call, struct tool_call_piece *ret_piece);

/*
 * Sorts a response with an error status, and writes what to tell people: the status and
 * the provider's own message with `secret` (may be NULL) blotted out.
 */
enum provider_outcome openai_error_read(long status, struct span body, const char *secret, char *text, size_t text_size,
                                        bool *ret_is_retryable);

/* Copies at most text_size - 1 bytes of `in`: whole characters, control bytes as spaces,
 * every `secret` as "[redacted]". */
void openai_text_clean(struct span in, const char *secret, char *text, size_t text_size);

#endif
