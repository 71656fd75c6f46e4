/*
 * tally: what the edge counts of itself, and how it tells it. Counting is an addition; what
 * may be told apart is bounded: methods of the schema, routes and statuses of our own.
 */
#ifndef EDGE_LISTENER_TALLY_H
#define EDGE_LISTENER_TALLY_H

#include <stdint.h>

#include "bus/actor.h"
#include "bus/base/span.h"
#include "schema/base/metric.h"

#define TALLY_METHODS 1000U /* ids of methods: 1000 to 1999 */
#define TALLY_METHODS_FROM 1000U
#define TALLY_STATUSES 32U

struct edge;

enum tally_route {
    TALLY_ROUTE_OTHER,
    TALLY_ROUTE_WEBSOCKET,
    TALLY_ROUTE_HEALTH,
    TALLY_ROUTE_READY,
    TALLY_ROUTE_METRICS,
    TALLY_ROUTE_COMPLETIONS,
    TALLY_ROUTE_RESPONSES,
    TALLY_ROUTE_EMBEDDINGS,
    TALLY_ROUTE_MODELS,
    TALLY_ROUTE_TOOLS,
    TALLY_ROUTE_HOOKS,
    TALLY_ROUTE_SITE,
    TALLY_ROUTE_CANVAS,
    TALLY_ROUTES,
};

struct tally_method {
    const struct schema_msg *msg;
    uint64_t failed_n;
    struct metric_histogram took;
};

struct tally_answers {
    uint16_t status; /* 0: free */
    uint64_t n;
};

struct tally {
    struct tally_method *methods[TALLY_METHODS]; /* owned; NULL: not called yet */
    uint64_t rpc_refused_n;                      /* before they went to anybody */
    uint64_t connects_n;                         /* that ended with hello-ok */
    uint64_t connects_refused_n;
    struct tally_answers http[TALLY_ROUTES][TALLY_STATUSES];
    struct metric_histogram http_took[TALLY_ROUTES]; /* to the head of the answer */
    uint64_t accepted_n;
    uint64_t turned_away_n;
    uint64_t tls_handshakes_n;
    uint64_t http2_connections_n;
    uint64_t http2_given_up_n; /* of them, for what their peers did */
    uint64_t tls_failures_n;   /* what is no TLS, or none that we accept */
};

void tally_deinit(struct tally *self);

enum tally_route tally_route_of(struct span path);
/* The head of an answer is on its way. */
void tally_http(struct tally *self, enum tally_route route, int status, uint64_t took_ns);
/* A method was answered by its owner, which may be the edge. */
void tally_rpc(struct tally *self, const struct schema_msg *msg, bool is_failed, uint64_t took_ns);

/* Handler of metrics_read. */
int tally_on_read(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
