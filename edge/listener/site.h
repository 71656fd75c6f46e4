/*
 * site: answers what asks for web content: the start page out of the program, or files below gateway.controlUi.root.
 * Files are opened and read on libuv's worker threads, a piece at a time, the next one when the last has gone out: a
 * slow disk holds nobody else up, and a slow reader holds no more than a piece.
 */
#ifndef EDGE_LISTENER_SITE_H
#define EDGE_LISTENER_SITE_H

#include <stdbool.h>

#include "edge/http/request.h"
#include "edge/http/site.h"

struct site_read;
struct stream;

/* Answers when the request is for the site; false when it is for somebody else. `head` is what request was read from.
 */
bool site_serve(struct stream *stream, const struct request *request, struct span head);
/* All that was queued has gone out: reads on. */
void site_drained(struct stream *stream);
/* The client is gone. */
void site_abandon(struct site_read *self);

#endif
