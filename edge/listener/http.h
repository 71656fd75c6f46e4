/*
 * http: what an HTTP connection of the edge does: probes at once, /v1/ after auth, and the
 * upgrade to the WebSocket protocol.
 */
#ifndef EDGE_LISTENER_HTTP_H
#define EDGE_LISTENER_HTTP_H

#include "edge/http/openai.h"
#include "edge/http/request.h"
#include "edge/http/response.h"
#include "edge/listener/call.h"
#include "edge/listener/conn.h"

struct edge;

/* One request under /v1/ from its head to its answer. */
struct exchange {
    struct call call;
    struct edge *edge;
    char *head; /* what `request` points into */
    struct request request;
    struct text_buf body;
    struct text_buf decision;               /* of auth, packed */
    void (*on_body)(struct exchange *self); /* auth agreed and the body is complete */

    /* a run of chat completions */
    struct openai_run run;
    char *model;
    uint32_t debt; /* bytes of chunks not yet granted again */
    bool is_streamed;
    bool has_usage;
    bool has_begun; /* the head of the streamed answer is out */
};

/* Makes a new connection speak HTTP. */
void http_attach(struct conn *conn);
/* Frees what http_attach made, for an upgrade; the caller sets ops and state. */
void http_detach(struct conn *conn);
/* Answers with plain text and closes. */
void http_refuse(struct conn *conn, int status, const char *text);
/* Did a proxy pass it on? Then nothing about it is local. */
bool http_is_proxied(const struct request *request);

/* Whole answers; the exchange is over after it. `error` becomes the body. */
void http_exchange_answer(struct exchange *self, int status, struct span json, uint32_t retry_after_s);
void http_exchange_error(struct exchange *self, const struct openai_error *error, uint32_t retry_after_s);
/* A streamed answer: its head, one event, and the end. */
void http_stream_begin(struct exchange *self);
/* Opens an event for writing in place; NULL when the connection is gone. */
struct text_buf *http_event_begin(struct exchange *self, size_t *ret_at);
void http_event_end(struct exchange *self, struct text_buf *out, size_t at);
/* Ends it; `is_broken` also closes the connection. */
void http_stream_end(struct exchange *self, bool is_broken);

/* Frees an exchange that nobody waits for any more. */
void http_exchange_destroy(struct exchange *self);
void http_free_orphans(struct edge *edge);
/* Is a request under way on this connection? */
bool http_is_busy(const struct conn *conn);

#endif
