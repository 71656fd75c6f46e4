/*
 * canvas: answers what asks for the canvas host: files below its root, the pages that the program carries, and the
 * socket of live reload. A capability in the address is looked up here; without one auth is asked.
 */
#ifndef EDGE_LISTENER_CANVAS_H
#define EDGE_LISTENER_CANVAS_H

#include <stdbool.h>

#include "edge/http/request.h"

struct stream;

/* Answers when the request is for the canvas host; false when it is for somebody else. `head` is what it was read from.
 */
bool canvas_serve(struct stream *stream, const struct request *request, struct span head);

#endif
