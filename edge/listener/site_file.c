#include "edge/listener/site_file.h"

#include <stdio.h>
#include <string.h>

#include "edge/http/request.h"
#include "edge/http/site.h"
#include "edge/listener/edge.h"
#include "edge/listener/http.h"

#define FIELDS_MAX (SITE_ETAG_FIELD_MAX + RANGE_FIELD_MAX + 32U)

/* --- answers -------------------------------------------------------------------------------- */

struct guarded {
    const struct site_file_kind *kind;
    const struct site_read *file; /* or NULL */
    struct span page;
    struct span more; /* further header lines */
};

/* `response.fields` is made here. `send` is http_answer or http_head. */
static void guarded_send(struct stream *stream, const struct guarded *how, struct response response,
                         void (*send)(struct stream *stream, struct response response))
{
    struct text_buf fields = { 0 };

    if (how->kind->guard_write(stream->conn->edge, how->file, how->page, &fields) || text_buf_add(&fields, how->more)) {
        stream->ops->break_off(stream);
    } else {
        response.fields = (struct span){ fields.data, fields.len };
        send(stream, response);
    }
    text_buf_deinit(&fields);
}

void site_file_answer(struct stream *stream, const struct site_file_kind *kind, struct response response,
                      struct span more)
{
    guarded_send(stream, &(struct guarded){ .kind = kind, .more = more }, response, http_answer);
}

struct span site_file_etag(const char *etag, char field[SITE_ETAG_FIELD_MAX])
{
    int len = snprintf(field, SITE_ETAG_FIELD_MAX, "ETag: %s\r\n", etag);

    return (struct span){ field, (size_t)len };
}

bool site_file_is_known(struct span known, const char *etag)
{
    return known.len > 0 && memmem(known.ptr, known.len, etag, strlen(etag)) != NULL;
}

/* --- one file --------------------------------------------------------------------------------- */

static void read_over(struct stream *stream)
{
    site_read_free(stream->file);
    stream->file = NULL;
}

/* The last piece is queued. */
static void file_end(struct stream *stream)
{
    read_over(stream);
    stream->ops->end(stream);
    stream->ops->resume(stream);
}

static void piece_send(struct stream *stream, struct site_read *file)
{
    if (!stream_send(stream, (struct span){ file->data, file->len })) {
        read_over(stream);
    } else if (file->left == 0) {
        file_end(stream);
    }
}

static int file_status(const struct site_read *file)
{
    return file->part.kind == RANGE_PART ? 206 : file->part.kind == RANGE_BEYOND ? 416 : 200;
}

static uint64_t sent_len(const struct site_read *file)
{
    return file->part.kind == RANGE_WHOLE ? file->size : file->part.len;
}

/* Its tag, that parts of it may be asked for, and which one this is. */
static struct span fields_of(const struct site_read *file, bool is_fresh, char fields[FIELDS_MAX])
{
    char range[RANGE_FIELD_MAX];
    char etag[SITE_ETAG_FIELD_MAX];
    struct span tag = file->kind->cache ? (struct span){ NULL, 0 } : site_file_etag(file->etag, etag);
    struct span part = is_fresh ? (struct span){ NULL, 0 } : range_field(&file->part, file->size, range);
    int len = snprintf(fields, FIELDS_MAX, "%.*s%s%.*s", SPAN_FMT(tag), file->is_page ? "" : "Accept-Ranges: bytes\r\n",
                       SPAN_FMT(part)); /* fits */

    return (struct span){ fields, (size_t)len };
}

static void file_head(struct stream *stream, struct site_read *file)
{
    bool has_etag = !file->kind->cache;
    bool is_fresh = has_etag && site_file_is_known(span_from(file->known), file->etag);
    uint64_t len = is_fresh ? file->size : sent_len(file); /* of a 304 that of the 200 (RFC 9110, 8.6) */
    char fields[FIELDS_MAX];
    struct guarded how = { .kind = file->kind,
                           .file = file,
                           .page = { file->is_page ? file->data : NULL, file->is_page ? file->len : 0 },
                           .more = fields_of(file, is_fresh, fields) };
    struct response response = { .status = is_fresh ? 304 : file_status(file),
                                 .type = site_type(file->name),
                                 .cache = has_etag ? site_cache(file->name) : file->kind->cache,
                                 .body = { NULL, (size_t)len },
                                 .is_head = true }; /* the body follows in pieces */

    if (file->is_head || is_fresh || len == 0) {
        guarded_send(stream, &how, response, http_answer);
        read_over(stream);
        stream->ops->resume(stream);
        return;
    }
    guarded_send(stream, &how, response, http_head);
    file->has_head = true;
    if (stream->ops->is_open(stream)) {
        piece_send(stream, file);
    }
}

/* Answers without it. */
static void file_leave(struct stream *stream, struct site_read *file,
                       void (*answer)(struct stream *stream, const struct site_read *file))
{
    stream->file = NULL;
    answer(stream, file);
    site_read_free(file);
    stream->ops->resume(stream);
}

static void file_begin(struct stream *stream, struct site_read *file)
{
    if (file->kind->probe) {
        file_leave(stream, file, file->kind->probe);
    } else if (file->is_page && file->kind->page_change && file->kind->page_change(stream->conn->edge, file)) {
        read_over(stream);
        stream->ops->break_off(stream);
    } else {
        file_head(stream, file);
    }
}

static void file_fail(struct stream *stream, struct site_read *file)
{
    if (file->has_head) { /* its length was promised: all that is left is to break off */
        read_over(stream);
        stream->ops->break_off(stream);
        return;
    }
    file_leave(stream, file, file->kind->fail);
}

static void on_ready(struct site_read *file)
{
    struct stream *stream = file->stream;

    if (!stream->ops->is_open(stream)) {
        read_over(stream);
    } else if (file->r) {
        file_fail(stream, file);
    } else if (!file->has_head) {
        file_begin(stream, file);
    } else {
        piece_send(stream, file);
    }
}

struct site_read *site_file_begin(struct stream *stream, const struct site_file_kind *kind,
                                  const struct request *request, struct site_read_ask ask)
{
    struct span known = request_header(request, "if-none-match");
    struct site_read *file;

    ask.has_etag = !kind->cache;
    if (request->method == REQUEST_GET) { /* for anything else a range has no meaning: RFC 9110 §14.2 */
        ask.range = request_header(request, "range");
        ask.if_range = request_header(request, "if-range");
    }
    file = site_read_new(actor_loop(stream->conn->edge->actor), &ask);
    if (!file) {
        http_refuse(stream, 503, "Service Unavailable");
        return NULL;
    }
    file->stream = stream;
    file->kind = kind;
    file->on_ready = on_ready;
    file->is_head = request->method == REQUEST_HEAD;
    (void)snprintf(file->known, sizeof(file->known), "%.*s", SPAN_FMT(known)); /* a longer list: none is known */
    stream->file = file;
    stream->ops->wait(stream);
    return file;
}

void site_file_drained(struct stream *stream)
{
    struct site_read *file = stream->file;

    if (file->has_head && !file->is_working && site_read_next(file, actor_loop(stream->conn->edge->actor))) {
        read_over(stream);
        stream->ops->break_off(stream);
    }
}

void site_file_abandon(struct site_read *file)
{
    file->stream = NULL;
    site_read_free(file);
}
