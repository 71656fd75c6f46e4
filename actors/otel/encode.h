/*
 * encode: the JSON of OTLP over HTTP. Pure.
 */
#ifndef ACTORS_OTEL_ENCODE_H
#define ACTORS_OTEL_ENCODE_H

#include "actors/otel/spans.h"
#include "bus/json.h"

/* Whose numbers these are. */
struct encode_resource {
    const char *service;
    const char *version;
    const char *instance; /* tells this gateway from others of its name */
};

/* Appends one span, behind a comma unless `out` is empty. 0 or -ENOMEM. */
int encode_span(const struct span_one *span, struct text_buf *out);
/* A whole request around spans that were appended so. */
int encode_traces(const struct encode_resource *resource, struct span spans, struct text_buf *out);

/*
 * A whole request from a page in the text format of Prometheus, as health writes it: what
 * is no line of it is left out. Cumulative numbers count from `start_ns`; both are
 * nanoseconds since 1970.
 */
int encode_metrics(const struct encode_resource *resource, struct span page, uint64_t start_ns, uint64_t now_ns,
                   struct text_buf *out);

#endif
