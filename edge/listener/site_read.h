/*
 * site_read: one file below a directory, opened and read on worker threads. Nothing outside of the directory is ever
 * opened, whatever links stand in it (openat2(2), RESOLVE_BENEATH).
 */
#ifndef EDGE_LISTENER_SITE_READ_H
#define EDGE_LISTENER_SITE_READ_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bus/base/span.h"
#include "bus/json.h"
#include "edge/http/range.h"

#define SITE_PIECE 65536U      /* bytes read at once */
#define SITE_PAGE_MAX 1048576U /* of an HTML page, which is read whole: its inline scripts are looked at */
#define SITE_ETAG_MAX 48U
#define SITE_RANGE_MAX 128U /* of a Range that is looked at; a longer one names several */

struct stream;
struct site_file_kind;

struct site_read_ask {
    const char *root;
    const char *name;  /* below it */
    bool falls_back;   /* to index.html */
    bool is_strict;    /* no link of any sort, symbolic or hard; a directory is told apart: -EISDIR */
    uint64_t size_max; /* a larger one is -EFBIG; 0: none is too large */
    struct span range; /* Range of the request, or empty: all of it. A page that is read whole is never given in part */
    struct span if_range;
    bool has_etag; /* its tag is told, so a part of it may be asked for by that */
};

struct site_read {
    uv_work_t work;
    struct stream *stream;                    /* NULL: gone, then it frees itself when the work is done */
    void (*on_ready)(struct site_read *self); /* opened (with the first piece), or a piece is there, or `r` */
    char *root;
    char *name;                        /* below root; the one that was opened, afterwards */
    const struct site_file_kind *kind; /* of who reads it */
    uint64_t size_max;
    bool falls_back;
    bool is_strict;
    bool is_page;
    void *about; /* what the kind has to know of it; freed with it */
    bool is_head;
    bool has_token; /* of the canvas: a capability let it in */
    bool is_working;
    bool has_head; /* of the answer gone out */
    int fd;
    int r; /* 0, or a negative errno */
    uint64_t size;
    uint64_t left; /* not yet read */
    struct range part;
    char range[SITE_RANGE_MAX]; /* as it was asked for; empty: all of it */
    char if_range[SITE_ETAG_MAX];
    bool has_etag;
    char etag[SITE_ETAG_MAX];
    char known[256]; /* If-None-Match */
    char *data;      /* the piece */
    size_t len;
    size_t room;
};

/* Begins to open it; on_ready is called from the loop. NULL without memory. */
struct site_read *site_read_new(uv_loop_t *loop, const struct site_read_ask *ask);
/* Reads the next piece; on_ready again. 0 or a negative errno. */
int site_read_next(struct site_read *self, uv_loop_t *loop);
/* Another text takes the place of a page that was read whole; takes what `page` holds. */
void site_read_replace(struct site_read *self, struct text_buf *page);
/* Frees it, now or when the work in hand is done. */
void site_read_free(struct site_read *self);

#endif
