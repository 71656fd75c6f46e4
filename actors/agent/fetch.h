/*
 * fetch: gets one picture or file from a URL that a stranger gave, within limits, past
 * fetch_guard. Redirects are followed by hand and judged like the first URL.
 */
#ifndef ACTORS_AGENT_FETCH_H
#define ACTORS_AGENT_FETCH_H

#include <stdint.h>

#include "actors/agent/http_client.h"
#include "bus/base/span.h"
#include "bus/json.h"

#define FETCH_TEXT_MAX 192

struct fetch_limits {
    struct span hosts; /* packed list, or empty; must outlive the fetch */
    uint64_t bytes_max;
    uint32_t redirects_max;
    uint32_t timeout_ms; /* over all redirects */
    http_allow allow;    /* judges addresses; NULL: fetch_guard_address */
};

struct fetch_end {
    const char *problem;    /* for people; NULL when it went well */
    const char *mime;       /* of Content-Type, in lower case; "" when there is none */
    struct text_buf *bytes; /* may be taken over */
};

struct fetch;
/* Borrows; the fetch is gone when it is called. Never from inside fetch_start. */
typedef void (*fetch_on_end)(void *arg, const struct fetch_end *end);

/* 0 or a fault; what is wrong with the URL is told like any failure. The client must be open. */
int fetch_start(struct http_client *http, struct span url, const struct fetch_limits *limits, fetch_on_end on_end,
                void *arg, struct fetch **ret_fetch);
/* No event follows. */
void fetch_cancel(struct fetch **fetch_p);

#endif
