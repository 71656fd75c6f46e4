/*
 * endpoints: what the configuration says about the OpenAI-compatible paths
 * (gateway.http.endpoints): which are served, and what they take in. Pure.
 */
#ifndef EDGE_HTTP_ENDPOINTS_H
#define EDGE_HTTP_ENDPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define ENDPOINTS_BODY_MAX (20U * 1024U * 1024U) /* more is not taken, whatever the configuration says */
#define ENDPOINTS_URLS_MAX 64U                   /* the same for parts that are fetched */

/* Pictures or files, in the request or fetched. */
struct input_rules {
    bool allow_url;
    struct span hosts;  /* packed list: the only ones to fetch from; empty: any */
    struct span mimes;  /* packed list: the only types; empty: those that are known here */
    uint64_t bytes_max; /* of one */
    uint64_t chars_max; /* of the text of one file */
    uint32_t redirects_max;
    uint32_t timeout_ms;
    uint32_t pdf_pages_max;  /* of a PDF */
    uint64_t pdf_pixels_max; /* of one of its pages as a picture */
    uint64_t pdf_chars_min;  /* of its text; with less its pages are shown */
};

struct endpoint {
    bool is_on;
    size_t body_max;
    uint32_t images_max;
    uint64_t images_bytes_max; /* of all together */
    uint32_t urls_max;         /* pictures and files to fetch, together */
    struct input_rules images;
    struct input_rules files;
};

struct endpoints {
    struct endpoint chat;
    struct endpoint responses;
    struct text_buf bytes; /* what the spans point into */
};

/* `gateway` is the packed subtree; empty for the defaults. 0 or -ENOMEM, then it is as it was. */
int endpoints_read(struct endpoints *self, struct span gateway);
void endpoints_deinit(struct endpoints *self);

#endif
