/*
 * feed: a tap of this gateway for the actor's own use: it attaches over the control socket
 * as an operator would, is logged as one, and can only receive. Calls and their answers are
 * shown, without bodies.
 */
#ifndef ACTORS_OTEL_FEED_H
#define ACTORS_OTEL_FEED_H

#include <uv.h>

#include "bus/envelope.h"

struct feed_line;
struct _zsock_t;

/* An envelope was sent at `at_us`; `is_lost`: it could not be delivered. */
typedef void (*feed_on_envelope)(void *arg, const struct envelope *env, uint64_t body_bytes, int64_t at_us,
                                 bool is_lost);

struct feed {
    uv_loop_t *loop;
    uv_poll_t *poll; /* lives until its close callback */
    struct _zsock_t *pull;
    struct feed_line *line; /* to the control socket; NULL: not attached */
    char endpoint[160];
    char control_path[160];
    uint64_t dropped; /* records that the gateway could not show us */
    feed_on_envelope on;
    void *arg;
};

void feed_init(struct feed *self, uv_loop_t *loop, feed_on_envelope on, void *arg);
/* Begins to attach, unless it is. 0, or a fault: this process has no gateway around it, say. */
int feed_open(struct feed *self);
bool feed_is_open(const struct feed *self);
void feed_close(struct feed *self);

#endif
