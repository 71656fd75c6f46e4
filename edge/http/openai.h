/*
 * openai: the shapes of POST /v1/chat/completions and GET /v1/models. Pure: text in,
 * values out, and the other way round.
 */
#ifndef EDGE_HTTP_OPENAI_H
#define EDGE_HTTP_OPENAI_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"

#define OPENAI_BODY_MAX (20U * 1024U * 1024U)
#define OPENAI_DEPTH_MAX 32U
#define OPENAI_ID_MAX 64U
#define OPENAI_TEXT_MAX 256U

/* What is wrong, in the shape clients of that API know. */
struct openai_error {
    int status;
    const char *type; /* invalid_request_error, unauthorized, rate_limited, api_error */
    const char *code; /* or NULL */
    char message[OPENAI_TEXT_MAX];
};

/* Spans point into the pack that openai_request_parse filled. */
struct openai_request {
    struct span messages; /* packed array, at least one message of a user */
    struct span model;    /* as asked, for the answer */
    struct span agent_id; /* empty: the default agent */
    struct span user;     /* empty when absent */
    struct span stop;     /* packed string or array of strings, or empty */
    bool is_streamed;
    bool has_usage; /* stream_options.include_usage */
    bool has_max_tokens;
    bool has_temperature;
    bool has_top_p;
    uint64_t max_tokens;
    double temperature;
    double top_p;
};

enum {
    OPENAI_E_REFUSED = 1, /* see the error */
};

/* Parses and checks a request body. `pack` receives it and must outlive the request; it
 * needs room for about as many bytes as the body has. */
int openai_request_parse(struct span body, struct pack *pack, struct openai_request *ret_request,
                         struct openai_error *error);

/* Which agent a model name means: "openclaw", "openclaw/default" (empty span), "openclaw/<id>",
 * "openclaw:<id>", "agent:<id>". False for anything else. */
bool openai_agent_of(struct span model, struct span *ret_agent_id);

/* `code` NULL leaves it out. All writers: 0 or -ENOMEM. */
int openai_error_write(const struct openai_error *error, struct text_buf *out);

/* What every chunk and the whole answer of one run have in common. */
struct openai_run {
    char id[OPENAI_ID_MAX]; /* "chatcmpl_…", terminated */
    int64_t created_s;
    struct span model;
};
struct openai_usage {
    uint64_t input;
    uint64_t output;
};
int openai_completion_write(const struct openai_run *run, struct span text, struct span finish_reason,
                            const struct openai_usage *usage, struct text_buf *out);
/* The opening chunk, with the role. */
int openai_chunk_role(const struct openai_run *run, struct text_buf *out);
int openai_chunk_text(const struct openai_run *run, struct span text, struct text_buf *out);
int openai_chunk_finish(const struct openai_run *run, struct span finish_reason, struct text_buf *out);
int openai_chunk_usage(const struct openai_run *run, const struct openai_usage *usage, struct text_buf *out);

/* One row of the model list. */
int openai_model_write(struct span id, struct text_buf *out);

#endif
