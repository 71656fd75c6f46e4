/*
 * request: reads the head of one HTTP/1.1 request (RFC 9112). Pure.
 *
 * Strict where leniency lets two readers disagree about where a request ends: no bare LF,
 * no folded lines, no space before a colon, never both Content-Length and
 * Transfer-Encoding, never two of either.
 */
#ifndef EDGE_HTTP_REQUEST_H
#define EDGE_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define REQUEST_HEAD_MAX 16384U /* bytes, request line and headers together */
#define REQUEST_HEADERS_MAX 64U
#define REQUEST_TARGET_MAX 4096U

enum request_method {
    REQUEST_GET,
    REQUEST_HEAD,
    REQUEST_POST,
    REQUEST_OTHER,
};

enum request_body {
    REQUEST_BODY_NONE,
    REQUEST_BODY_LENGTH,
    REQUEST_BODY_CHUNKED,
};

struct request_header {
    struct span name;
    struct span value;
};

/* Spans point into the bytes that were parsed. */
struct request {
    enum request_method method;
    struct span path;  /* without the query, still percent-encoded */
    struct span query; /* behind the "?", may be empty */
    bool is_http10;
    bool is_kept_alive;
    bool is_upgrade; /* asks for the WebSocket protocol, whether rightly or not */
    bool expects_continue;
    enum request_body body;
    uint64_t body_len; /* REQUEST_BODY_LENGTH */
    struct request_header headers[REQUEST_HEADERS_MAX];
    size_t headers_n;
};

enum {
    REQUEST_E_BAD = 1,      /* answer 400 and close */
    REQUEST_E_LARGE = 2,    /* answer 431 and close */
    REQUEST_E_VERSION = 3,  /* answer 505 and close */
    REQUEST_E_ENCODING = 4, /* a transfer coding we do not know: answer 501 and close */
};

/*
 * Length of the head with its empty line, or 0 when it is not complete yet. The first
 * `from` bytes were looked at before (0 is always right).
 */
size_t request_head_len(struct span bytes, size_t from);

/* Parses a complete head. 0 or an outcome. */
int request_parse(struct span head, struct request *ret_request);

/* The first header of that name (any case); empty span when absent. */
struct span request_header(const struct request *self, const char *name);

/* May it stand in the name of a field (RFC 9110 §5.6.2), or in its value? */
bool request_is_token_char(char c);
bool request_is_text_char(char c);

/* Is `token` (lower case) an element of the comma list `value`? */
bool request_has_token(struct span value, const char *token);

/* Equal but for ASCII case; `lower` is lower case. */
bool request_is_word(struct span text, const char *lower);

#endif
