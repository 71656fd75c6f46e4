/*
 * media: files that a conversation on a control page shows: whether one is there (?meta=1, with a ticket for it), and
 * the file itself, for who may read or has its ticket.
 */
#ifndef EDGE_LISTENER_MEDIA_H
#define EDGE_LISTENER_MEDIA_H

#include <stdbool.h>

#include "bus/json.h"
#include "edge/http/request.h"

struct edge;
struct stream;

/* Makes the key of tickets. */
void media_init(struct edge *edge);
/* Answers when the request is for one; false when it is for somebody else. `head` is what it was read from. */
bool media_serve(struct stream *stream, const struct request *request, struct span head);
/* Appends the directories in which such files may lie, as a JSON list. 0 or -ENOMEM. */
int media_roots_write(const struct edge *edge, struct span workspace, struct text_buf *out);

#endif
