/*
 * post: one request of HTTP/1.1 at a time, on the loop of the actor.
 */
#ifndef ACTORS_OTEL_POST_H
#define ACTORS_OTEL_POST_H

#include <uv.h>

#include "actors/otel/settings.h"
#include "bus/json.h"

struct post_job;

/* `status` of HTTP; 0 when there was no answer, and then why. */
typedef void (*post_on_end)(void *arg, unsigned status, const char *why);

struct post {
    uv_loop_t *loop;
    struct post_job *job; /* NULL: idle */
    post_on_end on_end;
    void *arg;
};

void post_init(struct post *self, uv_loop_t *loop, post_on_end on_end, void *arg);
/* What is under way is given up, without a word. */
void post_deinit(struct post *self);
bool post_is_busy(const struct post *self);
/* Takes the content of `body`. `on_end` is called from the loop, once. 0 or a fault. */
int post_start(struct post *self, const struct settings_url *url, const char *headers, struct text_buf *body);

#endif
