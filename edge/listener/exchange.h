/*
 * exchange: one request that an actor answers, from its head to its answer: auth first, then
 * the body, then whoever answers.
 */
#ifndef EDGE_LISTENER_EXCHANGE_H
#define EDGE_LISTENER_EXCHANGE_H

#include "bus/actor.h"
#include "edge/http/openai.h"
#include "edge/http/request.h"
#include "edge/listener/call.h"
#include "edge/listener/stream.h"

struct edge;
struct msg_router_agent_found;
struct openresponses_reply;

/* What requests of one kind have in common. */
struct exchange_kind {
    const char *scope;   /* that it needs; NULL: auth's word is enough */
    const char *surface; /* whose bearer counts, see auth_http; NULL: the gateway's */
    bool is_let_in;      /* by what it shows itself: auth is not asked, there is no decision */
    struct span (*credential)(const struct request *request); /* what counts as the bearer; NULL: the header's */
    void (*on_body)(struct exchange *self);                   /* auth agreed and the body is complete */
    /* Answers with something of an agent, see agent_find; NULL: nobody asks for one. */
    void (*on_agent)(struct stream *stream, const struct request *request, const struct msg_router_agent_found *found);
    /* Answers with a refusal in the form of the kind; NULL: that of OpenAI. */
    void (*on_error)(struct exchange *self, const struct openai_error *error, uint32_t retry_after_s);
};

struct exchange {
    struct call call;
    struct stream *stream; /* NULL: the client is gone */
    struct edge *edge;
    char *head; /* what `request` points into */
    struct request request;
    struct trace_id trace; /* that the request brought along; zero: none */
    struct text_buf body;
    struct text_buf decision; /* of auth, packed */
    struct exchange_kind kind;

    /* a run */
    struct openai_run run;
    char *model;
    char *previous;                    /* id of the response that it goes on from, or NULL */
    struct openresponses_reply *reply; /* of /v1/responses; NULL elsewhere */
    uint32_t debt;                     /* bytes of chunks not yet granted again */
    bool is_streamed;
    bool has_usage;
    bool is_base64; /* embeddings */
    bool has_begun; /* the head of the streamed answer is out */
};

/* Begins one on a stream. */
void exchange_begin(struct stream *stream, struct span head, const struct exchange_kind *kind);

/* A piece of its body, its end, or what is wrong with it. False when it was refused: the exchange is over. */
bool exchange_body_add(struct exchange *self, struct span data);
void exchange_body_end(struct exchange *self);
void exchange_body_refuse(struct exchange *self, int status, const char *message);

/* Whole answers; the exchange is over after it. `error` becomes the body. */
void exchange_answer(struct exchange *self, int status, struct span json, uint32_t retry_after_s);
void exchange_text(struct exchange *self, int status, const char *type, struct span text);
/* 204: it was taken, and there is nothing to say. */
void exchange_nothing(struct exchange *self);
void exchange_text_later(struct exchange *self, int status, struct span text, uint32_t retry_after_s);
void exchange_error(struct exchange *self, const struct openai_error *error, uint32_t retry_after_s);
/* A streamed answer: its head, one event, and the end. */
void exchange_stream_begin(struct exchange *self);
/* Opens an event for writing in place, with a name or NULL; NULL when nothing can be said any more. */
struct text_buf *exchange_event_begin(struct exchange *self, const char *name, size_t *ret_at);
void exchange_event_end(struct exchange *self, struct text_buf *out, size_t at);
/* Ends it; `is_broken` also closes a connection of HTTP/1.1. */
void exchange_stream_end(struct exchange *self, bool is_broken);

/* What was asked for it has an answer. False when the client is gone, and the exchange with it. */
bool exchange_is_awaited(struct exchange *self);

/* Takes it off its stream, which is the caller's to answer then; NULL: the client is gone. */
struct stream *exchange_detach(struct exchange *self);
/* Frees an exchange that nobody waits for any more. */
void exchange_destroy(struct exchange *self);
void exchange_free_orphans(struct edge *edge);
/* What cannot be said for lack of memory: breaks off, unless the client is gone. */
void exchange_break(struct exchange *self);
/* The client is gone: cancels what was asked for it. */
void exchange_abandon(struct exchange *self);
/* The gateway goes: what was asked for it is not waited for any longer, and the client is told so, later, from the
 * loop. */
void exchange_give_up(struct exchange *self);

#endif
