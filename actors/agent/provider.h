/*
 * provider: what a model provider is to the agent. One turn is one question to a model:
 * it starts, gives text, and ends by exactly one on_end unless it was cancelled.
 */
#ifndef ACTORS_AGENT_PROVIDER_H
#define ACTORS_AGENT_PROVIDER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "actors/agent/http_client.h"
#include "actors/agent/tool_calls.h"
#include "bus/base/span.h"

#define PROVIDER_ID_MAX 128                   /* bytes, with terminator */
#define PROVIDER_MODEL_MAX 256                /* bytes, with terminator */
#define PROVIDER_TEXT_MAX 480                 /* bytes of an explanation, with terminator */
#define PROVIDER_OUTPUT_MAX ((size_t)8 << 20) /* bytes of text in one turn */

enum provider_outcome {
    PROVIDER_OK,
    PROVIDER_E_SETUP,     /* the configuration does not allow to ask: no such provider, no key … */
    PROVIDER_E_AUTH,      /* 401, 403 */
    PROVIDER_E_REFUSED,   /* other 4xx: the provider does not take this request */
    PROVIDER_E_CONTEXT,   /* the conversation is too long for the model */
    PROVIDER_E_RATE,      /* 429 */
    PROVIDER_E_DOWN,      /* 5xx, no connection, name unknown, TLS */
    PROVIDER_E_TIMEOUT,   /* connect, first byte, stall, total */
    PROVIDER_E_CUT,       /* the stream ended before the answer did */
    PROVIDER_E_RUBBISH,   /* not what the API promises */
    PROVIDER_E_OVERSIZED, /* more than we are ready to hold */
    PROVIDER_E_TOOL_CALL, /* the model calls a tool and none was offered */
    PROVIDER_E_MODEL,     /* the asker names a model that is not there */
};

/* "down", "timeout", … */
const char *provider_outcome_name(enum provider_outcome outcome);

struct provider_usage {
    uint64_t input;
    uint64_t output;
    uint64_t total;
};

struct provider_end {
    enum provider_outcome outcome;
    const char *text;        /* for people; never holds a key; "" when it went well */
    uint32_t retry_after_ms; /* what the provider asked for; 0: nothing */
    bool is_retryable;
    const char *finish_reason; /* "stop", "length", … when it went well */
    const char *response_id;   /* the provider's own, or "" */
    struct provider_usage usage;
};

struct provider_events {
    void (*on_text)(void *arg, struct span text);
    /* A piece of a call of one of the tools that were offered. */
    void (*on_tool_call)(void *arg, const struct tool_call_piece *piece);
    /* Everything in `end` is borrowed; the turn is gone when this is called. */
    void (*on_end)(void *arg, const struct provider_end *end);
};

/* One question. All borrowed until turn_start returns. */
struct provider_request {
    struct span messages; /* packed array of {role, content, …}; content is text or parts */
    const char *model;
    struct span options; /* packed map: tools, tool_choice, max_tokens, … as chat completions have them; or empty */
    uint32_t total_ms;
};

enum provider_api {
    PROVIDER_API_ECHO,
    PROVIDER_API_OPENAI_COMPLETIONS,
};

/* How to reach one provider; owned by the settings, borrowed by turn_start. */
struct provider_setup {
    char id[PROVIDER_ID_MAX];
    enum provider_api api;
    char *base_url;
    bool is_key_bare; /* no "Authorization: Bearer" */
    /* The following stand in locked memory of the settings. */
    const char *api_key;   /* NULL: the provider needs none */
    const char *auth_line; /* a whole header that goes in place of the key; NULL: none */
    size_t auth_name_len;
    const char *secret;  /* to be blotted out of what the provider says; NULL: none */
    struct span headers; /* packed map of more headers, or empty */
    struct http_tls tls;
    struct http_tls proxy_tls;
    const char *proxy; /* URL; NULL: as the environment says */
    uint32_t first_byte_ms;
    uint32_t stall_ms;
    char problem[PROVIDER_TEXT_MAX]; /* why it cannot be asked; "" when it can */
};

struct provider_turn; /* begins with its ops */

struct provider_turn_ops {
    void (*cancel)(struct provider_turn *turn); /* frees it; no event follows */
    void (*pause)(struct provider_turn *turn, bool is_paused);
};

struct provider_turn {
    const struct provider_turn_ops *ops;
};

/* What the turns of one actor share. */
struct provider_engine {
    uv_loop_t *loop;
    struct http_client http;
};

void provider_engine_init(struct provider_engine *self, uv_loop_t *loop);
/* Gets hold of what turns of this kind need, if that has not been done. 0, a fault, or a
 * positive value with the reason, for people, in `ret_problem`. */
int provider_engine_open(struct provider_engine *self, enum provider_api api, char ret_problem[PROVIDER_TEXT_MAX]);
void provider_engine_deinit(struct provider_engine *self);
/* Sends what was started on connections that are open already, without waiting for the
 * loop. Events may come from inside. */
void provider_engine_kick(struct provider_engine *self);

/* 0 or a fault; the engine must be open for this kind. Every event comes later, from the loop or from a kick. */
int provider_turn_start(struct provider_engine *self, const struct provider_setup *setup,
                        const struct provider_request *request, const struct provider_events *events, void *arg,
                        struct provider_turn **ret_turn);
void provider_turn_cancel(struct provider_turn **turn_p);
void provider_turn_pause(struct provider_turn *turn, bool is_paused);

#endif
