/*
 * bus_filter: which envelopes `openclaw bus tap` shows.
 *
 *   to ~ agent* && (kind == call || kind == failure) && bytes > 1000 && !(from == edge/0)
 *
 * Fields: to, from, kind, name, method, topic, trace, session (text: == != ~) and bytes,
 * latency or ms (numbers: == != < <= > >=). "~" matches a pattern of "*" and "?". A field that
 * an envelope does not have fits nothing but "!=". Pure: no bus, no files.
 */
#ifndef EDGE_CLI_BUS_FILTER_H
#define EDGE_CLI_BUS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/base/span.h"

#define BUS_FILTER_TEXT_MAX 1024U
#define BUS_FILTER_NODES_MAX 128U
#define BUS_FILTER_DEPTH_MAX 32U

enum bus_filter_field {
    BUS_FILTER_TO,
    BUS_FILTER_FROM,
    BUS_FILTER_KIND,
    BUS_FILTER_NAME,
    BUS_FILTER_METHOD,
    BUS_FILTER_TOPIC,
    BUS_FILTER_TRACE,
    BUS_FILTER_SESSION,
    BUS_FILTER_TEXTS_N,
    BUS_FILTER_BYTES = BUS_FILTER_TEXTS_N,
    BUS_FILTER_LATENCY_MS,
    BUS_FILTER_FIELDS_N,
};

/* One envelope, as far as a filter can see it. */
struct bus_filter_subject {
    struct span texts[BUS_FILTER_TEXTS_N]; /* ptr NULL: the envelope has no such field */
    double bytes;
    double latency_ms;
    bool has_latency;
};

struct bus_filter_node {
    uint8_t op;    /* private to bus_filter.c */
    uint8_t field; /* enum bus_filter_field */
    uint8_t left;  /* operands of && || ! */
    uint8_t right;
    uint16_t value_at; /* text compared with, in `values` */
    uint16_t value_len;
    double number;
};

/* Plain data; copy freely. Zeroed, it fits everything. */
struct bus_filter {
    struct bus_filter_node nodes[BUS_FILTER_NODES_MAX];
    unsigned nodes_n; /* the last one is the root */
    char values[BUS_FILTER_TEXT_MAX];
    unsigned values_len;
    unsigned fields; /* bit per field that it asks for */
};

struct bus_filter_error {
    unsigned column; /* from 1, in bytes */
    char text[160];
};

enum {
    BUS_FILTER_E_SYNTAX = 1,
};

/* 0, or BUS_FILTER_E_SYNTAX with `error` set. Any bytes may be given. */
int bus_filter_parse(struct span text, struct bus_filter *ret_filter, struct bus_filter_error *error);
bool bus_filter_fits(const struct bus_filter *self, const struct bus_filter_subject *subject);
bool bus_filter_asks(const struct bus_filter *self, enum bus_filter_field field);

#endif
