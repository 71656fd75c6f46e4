/*
 * response: writes the head of a response, and small whole responses. Pure.
 */
#ifndef EDGE_HTTP_RESPONSE_H
#define EDGE_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define RESPONSE_JSON "application/json; charset=utf-8"
#define RESPONSE_TEXT "text/plain; charset=utf-8"
#define RESPONSE_SSE "text/event-stream; charset=utf-8"

#define RESPONSE_HSTS_MAX 256U /* bytes, with terminator */

struct response {
    int status;
    const char *type; /* Content-Type; NULL: no body */
    struct span body;
    const char *allow;              /* Allow, or NULL */
    uint32_t retry_after_s;         /* Retry-After; 0: none */
    const char *cache;              /* Cache-Control, or NULL */
    const char *transport_security; /* Strict-Transport-Security of at most RESPONSE_HSTS_MAX; NULL or "": none */
    bool is_closing;                /* Connection: close */
    bool is_head;                   /* the length of the body without the body */
    bool is_streamed;               /* the body follows: in chunks, or up to the close when is_http10 */
    bool is_http10;
    struct span date;   /* of the Date header */
    struct span fields; /* further header lines, each with its CRLF */
};

/* Reason phrase; "Unknown" for a status we never send. */
const char *response_reason(int status);

/* As HTTP/1.1. 0 or -ENOMEM. */
int response_write(const struct response *self, struct text_buf *out);

/* The fields alone, each as a line, but for those that say how HTTP/1.1 frames it. 0 or -ENOMEM. */
int response_fields(const struct response *self, struct text_buf *out);

#define RESPONSE_CHUNK_HEAD 10U /* eight digits and CRLF */
/* Writes the fixed-size head of a chunk of `len` bytes; the data and CRLF follow. */
void response_chunk_head(char head[RESPONSE_CHUNK_HEAD], size_t len);

#define RESPONSE_DATE_MAX 32U
/* "Sun, 22 Nov 2026 16:18:53 GMT". Terminated. */
struct span response_date(int64_t wall_ms, char buf[RESPONSE_DATE_MAX]);

#endif
