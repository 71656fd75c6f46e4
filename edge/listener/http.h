/*
 * http: an HTTP connection of the edge: reads requests, answers probes at once, hands what
 * actors answer to exchanges, and lets WebSockets through.
 */
#ifndef EDGE_LISTENER_HTTP_H
#define EDGE_LISTENER_HTTP_H

#include "edge/http/chunked.h"
#include "edge/http/request.h"
#include "edge/http/response.h"
#include "edge/listener/conn.h"
#include "edge/listener/tally.h"

struct exchange;
struct site_read;

enum http_stage {
    HTTP_HEAD, /* reading a request head, or idle before one */
    HTTP_WAIT, /* auth or an actor has the word */
    HTTP_BODY, /* reading a body */
};

/* The state of conn_ops. */
struct http {
    enum http_stage stage;
    size_t scanned; /* of the head, without its end */
    struct chunked chunked;
    enum request_body body; /* of the request in hand, as far as it has not been read */
    uint64_t body_left;
    size_t body_max;        /* of the request in hand */
    uint64_t asked_ns;      /* when its head was there */
    enum tally_route route; /* for the counters alone */
    bool is_kept_alive;     /* of the request in hand */
    bool is_http10;
    struct exchange *exchange; /* NULL: none under way */
    struct site_read *file;    /* being sent; NULL: none */
};

/* Makes a new connection speak HTTP. */
void http_attach(struct conn *conn);
/* Frees what http_attach made, for an upgrade; the caller sets ops and state. */
void http_detach(struct conn *conn);
/* Sends one whole answer and gets ready for the next request, or ends the connection. */
void http_answer(struct conn *conn, struct response response);
/* Sends the head of an answer whose body follows by conn_send. */
void http_head(struct conn *conn, struct response response);
/* Counts the answer whose head is on its way. */
void http_count(struct conn *conn, int status);
/* Answers with plain text and closes. */
void http_refuse(struct conn *conn, int status, const char *text);
/* 405 with what is allowed, and closes. */
void http_not_allowed(struct conn *conn, const char *allow);
/* Did a proxy pass it on? Then nothing about it is local. */
bool http_is_proxied(const struct request *request);
/* Is a request under way on this connection? */
bool http_is_busy(const struct conn *conn);

#endif
