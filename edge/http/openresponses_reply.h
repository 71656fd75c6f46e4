/*
 * openresponses_reply: what POST /v1/responses answers, whole or as events, made from the
 * pieces of a run as they come. Pure: events go to a callback.
 *
 * Every run of text between calls is a `message` item, every call of a function a
 * `function_call` item. Items are numbered as they begin; calls end with the answer, since
 * a model may go on with any of them.
 */
#ifndef EDGE_HTTP_OPENRESPONSES_REPLY_H
#define EDGE_HTTP_OPENRESPONSES_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "edge/http/openai.h"

struct openresponses_item;

struct openresponses_reply {
    const char *id; /* "resp_…" */
    int64_t created_s;
    struct span model;
    struct span previous_id; /* or empty */
    /* Takes one event; a nonzero result ends the function that made it. NULL: no events. */
    int (*emit)(void *arg, const char *name, struct span json);
    void *arg;

    struct openresponses_item *items;
    uint32_t items_n;
    uint32_t message; /* 1 and the number of the message that takes more text; 0: none */
    uint64_t sequence;
    struct text_buf scratch;
};

/* All: 0, -ENOMEM, or what the callback returned. */
int openresponses_reply_begin(struct openresponses_reply *self);
int openresponses_reply_text(struct openresponses_reply *self, struct span text);
/* `calls`: a packed list of run_tool_call. */
int openresponses_reply_calls(struct openresponses_reply *self, struct span calls);
/* Ends what is open and gives the last event. */
int openresponses_reply_end(struct openresponses_reply *self, struct span finish_reason,
                            const struct openai_usage *usage);
int openresponses_reply_fail(struct openresponses_reply *self, const struct openai_error *error);
/* Appends the whole answer, after the end. */
int openresponses_reply_write(struct openresponses_reply *self, struct span finish_reason,
                              const struct openai_usage *usage, struct text_buf *out);
void openresponses_reply_deinit(struct openresponses_reply *self);

#endif
