/*
 * site_file: sends one file as the answer to a request: its head, and its content a piece at a time, the next one when
 * the last has gone out. It is opened and read on libuv's worker threads: a slow disk holds nobody else up, and a slow
 * reader holds no more than a piece. A part of it is sent to who asks for one (RFC 9110 §14). What it is sent with, and
 * what is said instead of it, is the business of a kind.
 */
#ifndef EDGE_LISTENER_SITE_FILE_H
#define EDGE_LISTENER_SITE_FILE_H

#include <stdbool.h>

#include "bus/json.h"
#include "edge/http/response.h"
#include "edge/listener/site_read.h"

struct stream;
struct edge;
struct request;

/* What files of one kind have in common. */
struct site_file_kind {
    const char *cache; /* Cache-Control; NULL: by the name, with an ETag */
    /* Appends the header lines that guard it; `page` is HTML that was read whole, or empty. 0 or -ENOMEM. */
    int (*guard_write)(const struct edge *edge, const struct site_read *file, struct span page, struct text_buf *out);
    /* Changes HTML that was read whole before it is sent; NULL: never. 0 or -ENOMEM. */
    int (*page_change)(const struct edge *edge, struct site_read *file);
    /* Answers with what is to be said of it instead of with its content; NULL: the content. */
    void (*probe)(struct stream *stream, const struct site_read *file);
    /* Answers in its place; `file->r` says why. */
    void (*fail)(struct stream *stream, const struct site_read *file);
};

/* Begins the answer to `request`, with what that says of the part that is wanted and of what is known; the file, for
 * what else is to be known of it, or NULL when the request was refused. */
struct site_read *site_file_begin(struct stream *stream, const struct site_file_kind *kind,
                                  const struct request *request, struct site_read_ask ask);
/* An answer without a file, with the same guard; `response.fields` is made here, out of the guard and `more`. */
void site_file_answer(struct stream *stream, const struct site_file_kind *kind, struct response response,
                      struct span more);

#define SITE_ETAG_FIELD_MAX (SITE_ETAG_MAX + 16)
struct span site_file_etag(const char *etag, char field[SITE_ETAG_FIELD_MAX]);
/* RFC 9110 §13.1.2, as far as it matters for one that we gave out ourselves: it stands in the list. */
bool site_file_is_known(struct span known, const char *etag);

/* All that was queued has gone out: reads on. */
void site_file_drained(struct stream *stream);
/* The client is gone. */
void site_file_abandon(struct site_read *file);

#endif
