/*
 * tap_filter: which envelopes a watcher of the bus wants.
 *
 *   to ~ agent* && (kind == call || kind == fail) && bytes > 1000 && !(from == edge/0)
 *
 * Fields: to, from, address (either of the two), kind, name, method, topic, trace, session,
 * principal, undelivered (text: == != ~ !~) and bytes or size, latency or ms, ts (numbers: == != <
 * <= > >=). "~" matches a pattern of "*" and "?". A field that an envelope does not have fits
 * nothing but "!=" and "!~". Pure: no bus, no files.
 *
 * Where an envelope is sent, not all is known of it: its latency is known when its answer
 * has come. So a verdict has three values, and what may fit is judged again where more is
 * known.
 */
#ifndef BUS_TAP_FILTER_H
#define BUS_TAP_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define TAP_FILTER_TEXT_MAX 1024U
#define TAP_FILTER_NODES_MAX 128U
#define TAP_FILTER_DEPTH_MAX 32U

enum tap_filter_field {
    TAP_FILTER_TO,
    TAP_FILTER_FROM,
    TAP_FILTER_KIND,
    TAP_FILTER_NAME,
    TAP_FILTER_METHOD,
    TAP_FILTER_TOPIC,
    TAP_FILTER_TRACE,
    TAP_FILTER_SESSION,
    TAP_FILTER_PRINCIPAL,
    TAP_FILTER_UNDELIVERED,
    TAP_FILTER_ADDRESS, /* to and from */
    TAP_FILTER_TEXTS_N,
    TAP_FILTER_BYTES = TAP_FILTER_TEXTS_N,
    TAP_FILTER_LATENCY_MS,
    TAP_FILTER_TS_MS,
};

/* One envelope, as far as a filter can see it. */
struct tap_filter_subject {
    struct span texts[TAP_FILTER_TEXTS_N]; /* ptr NULL: the envelope has no such field */
    double bytes;
    double latency_ms;
    bool has_latency;
    double ts_ms;     /* since 1970 */
    unsigned unknown; /* bit per field that cannot be told yet */
};

enum tap_filter_verdict {
    TAP_FILTER_NO,
    TAP_FILTER_MAYBE, /* it depends on what is unknown */
    TAP_FILTER_YES,
};

struct tap_filter_node {
    uint8_t op;    /* enum node_op of tap_filter_ops.h */
    uint8_t field; /* enum tap_filter_field */
    uint8_t left;  /* operands of && || ! */
    uint8_t right;
    uint16_t value_at; /* text compared with, in `values` */
    uint16_t value_len;
    double number;
};

/* Plain data; copy freely. Zeroed, it fits everything. */
struct tap_filter {
    struct tap_filter_node nodes[TAP_FILTER_NODES_MAX];
    unsigned nodes_n; /* the last one is the root */
    char values[TAP_FILTER_TEXT_MAX];
    unsigned values_len;
    unsigned fields; /* bit per field that it asks for */
};

struct tap_filter_error {
    unsigned column; /* from 1, in bytes */
    char text[224];
};

enum {
    TAP_FILTER_E_SYNTAX = 1,
};

/* 0, or TAP_FILTER_E_SYNTAX with `error` set. Any bytes may be given. */
int tap_filter_parse(struct span text, struct tap_filter *ret_filter, struct tap_filter_error *error);
enum tap_filter_verdict tap_filter_verdict(const struct tap_filter *self, const struct tap_filter_subject *subject);
/* Is it TAP_FILTER_YES? */
bool tap_filter_fits(const struct tap_filter *self, const struct tap_filter_subject *subject);
/* What is known of many envelopes together. */
struct tap_filter_scope {
    bool (*may_have)(const void *arg, struct span text); /* NULL: nothing is known of their texts */
    const void *arg;
    double ts_min;
    double ts_max;
    double bytes_max;
};
/* May one of them fit? */
bool tap_filter_may_fit(const struct tap_filter *self, const struct tap_filter_scope *scope);
/* Does the verdict depend on the field at all? */
bool tap_filter_asks(const struct tap_filter *self, enum tap_filter_field field);

#endif
