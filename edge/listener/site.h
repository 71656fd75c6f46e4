/*
 * site: answers what asks for web content: the start page out of the program, or files below gateway.controlUi.root
 * (site_file.h).
 */
#ifndef EDGE_LISTENER_SITE_H
#define EDGE_LISTENER_SITE_H

#include <stdbool.h>

#include "edge/http/request.h"
#include "edge/http/site.h"

struct stream;
struct edge;
struct exchange;

/* Answers when the request is for the site; false when it is for somebody else. `head` is what request was read from.
 */
bool site_serve(struct stream *stream, const struct request *request, struct span head);
#endif
