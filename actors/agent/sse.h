/*
 * sse: splits a stream of server-sent events (WHATWG HTML, "Server-sent events") into
 * the data of each event. Only `data` counts; other fields and comments are skipped.
 */
#ifndef ACTORS_AGENT_SSE_H
#define ACTORS_AGENT_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"
#include "bus/json.h"

enum {
    SSE_E_TOO_BIG = 1, /* a line or an event is larger than event_max; the parser is spent */
    SSE_E_STOPPED = 2, /* the callback said stop; the parser is spent */
};

/* `data` is borrowed until the callback returns. Anything but 0 stops the parser. */
typedef int (*sse_on_event)(void *arg, struct span data);

struct sse {
    size_t event_max;
    sse_on_event on_event;
    void *arg;
    struct text_buf line; /* the unfinished line of earlier pushes */
    struct text_buf data; /* data lines of the event in hand, once they had to be copied */
    struct span borrowed; /* its only data line while that still stands in the pushed bytes */
    bool has_data;
    bool is_started; /* the place for a byte order mark is over */
    bool skips_lf;   /* the last push ended in CR */
};

/* `event_max` bounds one line and one event in bytes. */
void sse_init(struct sse *self, size_t event_max, sse_on_event on_event, void *arg);
void sse_deinit(struct sse *self);

/* Calls on_event for each event that is complete now. 0, -ENOMEM or an outcome. */
int sse_push(struct sse *self, struct span bytes);

/* The stream is over: an event whose lines are whole counts even without the blank line
 * that should follow it, as some providers leave it out. 0, -ENOMEM or an outcome. */
int sse_finish(struct sse *self);

#endif
