/*
 * openai: the shapes of POST /v1/chat/completions and GET /v1/models, and of errors on all
 * those paths. Pure: text in, values out (openai.c), and the other way round
 * (openai_write.c).
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

struct endpoint;

/* What is wrong, in the shape clients of that API know. */
struct openai_error {
    int status;
    const char *type; /* invalid_request_error, unauthorized, rate_limited, api_error */
    const char *code; /* or NULL */
    char message[OPENAI_TEXT_MAX];
};

/* Spans point into the packs that openai_request_parse filled. */
struct openai_request {
    struct span messages;    /* packed array, at least one message of a user or a tool */
    struct span tools;       /* packed array, or empty */
    struct span tool_choice; /* packed, or empty */
    struct span model;       /* as asked, for the answer */
    struct span agent_id;    /* empty: the default agent */
    struct span user;        /* empty when absent */
    struct span stop;        /* packed string or array of strings, or empty */
    struct span response_format;
    struct span reasoning_effort;
    bool is_streamed;
    bool has_usage; /* stream_options.include_usage */
    bool has_max_tokens;
    bool has_temperature;
    bool has_top_p;
    bool has_frequency_penalty;
    bool has_presence_penalty;
    bool has_seed;
    bool has_parallel;
    bool is_parallel; /* parallel_tool_calls */
    uint64_t max_tokens;
    double temperature;
    double top_p;
    double frequency_penalty;
    double presence_penalty;
    int64_t seed;
};

enum {
    OPENAI_E_REFUSED = 1, /* see the error */
};

/*
 * Parses and checks a request body. `raw` receives it as it is and needs room for about as
 * many bytes as the body has, `made` what was made of its lists; both must outlive the request.
 */
int openai_request_parse(struct span body, const struct endpoint *rules, struct pack *raw, struct pack *made,
                         struct openai_request *ret_request, struct openai_error *error);
/* The part of it that every such path has in common: JSON of an object. */
int openai_body_read(struct span body, struct pack *raw, struct span *ret_value, struct openai_error *error);
/* Sets a 400 with that text; returns OPENAI_E_REFUSED. */
int openai_refuse(struct openai_error *error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Is there nothing, or null? */
bool openai_is_absent(struct span value);

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
/* A call of a tool, or a piece of one: a packed run_tool_call. Empty: not in this piece. */
struct openai_call {
    uint32_t index;
    struct span id;
    struct span name;
    struct span arguments;
};
struct openai_call openai_call_of(struct span item);

/* `calls` is a packed list of those, or empty. */
int openai_completion_write(const struct openai_run *run, struct span text, struct span calls,
                            struct span finish_reason, const struct openai_usage *usage, struct text_buf *out);
/* The opening chunk, with the role. */
int openai_chunk_role(const struct openai_run *run, struct text_buf *out);
int openai_chunk_text(const struct openai_run *run, struct span text, struct text_buf *out);
int openai_chunk_calls(const struct openai_run *run, struct span calls, struct text_buf *out);
int openai_chunk_finish(const struct openai_run *run, struct span finish_reason, struct text_buf *out);
int openai_chunk_usage(const struct openai_run *run, const struct openai_usage *usage, struct text_buf *out);

/* One row of the model list. */
int openai_model_write(struct span id, struct text_buf *out);

#endif
