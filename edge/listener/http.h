/*
 * http: requests, whichever version of HTTP they came by: who answers them, probes at once, others by exchanges.
 */
#ifndef EDGE_LISTENER_HTTP_H
#define EDGE_LISTENER_HTTP_H

#include "edge/http/request.h"
#include "edge/http/response.h"
#include "edge/listener/stream.h"

/* Finds whoever answers it. `head` is what `request` points into. */
void http_route(struct stream *stream, const struct request *request, struct span head);

/* Sends one whole answer. */
void http_answer(struct stream *stream, struct response response);
/* Sends the head of an answer whose body follows by stream_send. */
void http_head(struct stream *stream, struct response response);
/* Answers with plain text, before or instead of reading the whole request; ends a connection of HTTP/1.1. */
void http_refuse(struct stream *stream, int status, const char *text);
/* The same, with the reason phrase. */
void http_refuse_status(struct stream *stream, int status);
/* 405 with what is allowed; the same. */
void http_not_allowed(struct stream *stream, const char *allow);
/* There is no room for what it has begun to send: says so. */
void http_overfull(struct stream *stream);
/* The client has taken what was sent. */
void http_drained(struct stream *stream);
/* The client is gone: whatever is done for the request is cancelled. */
void http_abandon(struct stream *stream);
/* Did a proxy pass it on? Then nothing about it is local. */
bool http_is_proxied(const struct request *request);

#endif
