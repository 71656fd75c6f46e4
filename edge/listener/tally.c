#include "edge/listener/tally.h"

#include <stdio.h>
#include <stdlib.h>

#include "edge/listener/budget.h"
#include "edge/listener/edge.h"
#include "schema_gen.h"

/* --- counting ----------------------------------------------------------------------------- */

static const char *const route_names[TALLY_ROUTES] = {
    [TALLY_ROUTE_OTHER] = "other",
    [TALLY_ROUTE_WEBSOCKET] = "websocket",
    [TALLY_ROUTE_HEALTH] = "/healthz",
    [TALLY_ROUTE_READY] = "/readyz",
    [TALLY_ROUTE_METRICS] = "/metrics",
    [TALLY_ROUTE_COMPLETIONS] = "/v1/chat/completions",
    [TALLY_ROUTE_RESPONSES] = "/v1/responses",
    [TALLY_ROUTE_EMBEDDINGS] = "/v1/embeddings",
    [TALLY_ROUTE_MODELS] = "/v1/models",
    [TALLY_ROUTE_TOOLS] = "/tools/invoke",
    [TALLY_ROUTE_HOOKS] = "/hooks",
    [TALLY_ROUTE_SITE] = "site",
    [TALLY_ROUTE_CANVAS] = "canvas",
};

enum tally_route tally_route_of(struct span path)
{
    if (span_is_text(path, "/health")) {
        return TALLY_ROUTE_HEALTH;
    }
    if (span_is_text(path, "/ready")) {
        return TALLY_ROUTE_READY;
    }
    for (enum tally_route i = TALLY_ROUTE_HEALTH; i < TALLY_ROUTES; i++) {
        size_t len = strlen(route_names[i]);

        if (span_starts(path, route_names[i]) && (path.len == len || path.ptr[len] == '/')) {
            return i;
        }
    }
    return TALLY_ROUTE_OTHER;
}

void tally_http(struct tally *self, enum tally_route route, int status, uint64_t took_ns)
{
    struct tally_answers *rows = self->http[route];

    metric_note(&self->http_took[route], took_ns);
    for (size_t i = 0; i < TALLY_STATUSES; i++) {
        if (rows[i].status == 0 || rows[i].status == status) {
            rows[i].status = (uint16_t)status;
            rows[i].n++;
            return;
        }
    }
}

void tally_rpc(struct tally *self, const struct schema_msg *msg, bool is_failed, uint64_t took_ns)
{
    struct tally_method **at = &self->methods[msg->id - TALLY_METHODS_FROM];

    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (!*at) {
            return; /* it is counted the next time */
        }
        (*at)->msg = msg;
    }
    (*at)->failed_n += is_failed;
    metric_note(&(*at)->took, took_ns);
}

void tally_deinit(struct tally *self)
{
    for (size_t i = 0; i < TALLY_METHODS; i++) {
        free(self->methods[i]);
        self->methods[i] = NULL;
    }
}

/* --- telling ------------------------------------------------------------------------------ */

static void methods_pack(const struct tally *self, struct pack *out)
{
    struct metric_label ok = { "outcome", SPAN_LIT("ok") };
    struct metric_label refused = { "outcome", SPAN_LIT("refused") };

    for (size_t i = 0; i < TALLY_METHODS; i++) {
        const struct tally_method *method = self->methods[i];
        struct metric_label labels[2];

        if (!method) {
            continue;
        }
        labels[0] = (struct metric_label){ "method", span_from(method->msg->name) };
        labels[1] = (struct metric_label){ "outcome", SPAN_LIT("ok") };
        metric_row_u64(out, "openclaw_rpc_requests_total", metric_count(&method->took) - method->failed_n, labels, 2);
        labels[1].text = SPAN_LIT("error");
        metric_row_u64(out, "openclaw_rpc_requests_total", method->failed_n, labels, 2);
        metric_row_histogram(out, "openclaw_rpc_seconds", &method->took, labels, 1);
    }
    metric_row_u64(out, "openclaw_rpc_refused_total", self->rpc_refused_n, NULL, 0);
    metric_row_u64(out, "openclaw_handshakes_total", self->connects_n, &ok, 1);
    metric_row_u64(out, "openclaw_handshakes_total", self->connects_refused_n, &refused, 1);
}

static void http_pack(const struct tally *self, struct pack *out)
{
    for (size_t route = 0; route < TALLY_ROUTES; route++) {
        const struct tally_answers *rows = self->http[route];
        struct metric_label labels[2] = { { "route", span_from(route_names[route]) }, { "code", { NULL, 0 } } };
        char code[8];

        for (size_t i = 0; i < TALLY_STATUSES && rows[i].status; i++) {
            (void)snprintf(code, sizeof(code), "%u", rows[i].status); /* it fits */
            labels[1].text = span_from(code);
            metric_row_u64(out, "openclaw_http_requests_total", rows[i].n, labels, 2);
        }
        if (rows[0].status) {
            metric_row_histogram(out, "openclaw_http_seconds", &self->http_took[route], labels, 1);
        }
    }
}

static void connections_pack(const struct edge *edge, struct pack *out)
{
    const struct tally *self = &edge->tally;
    struct metric_label label = { "protocol", SPAN_LIT("4") };

    metric_row_u64(out, "openclaw_connections", edge->conns_n, NULL, 0);
    metric_row_u64(out, "openclaw_clients", edge->clients_new_n, &label, 1);
    label.text = SPAN_LIT("3");
    metric_row_u64(out, "openclaw_clients", edge->clients_n - edge->clients_new_n, &label, 1);
    metric_row_u64(out, "openclaw_connections_total", self->accepted_n, NULL, 0);
    metric_row_u64(out, "openclaw_connections_turned_away_total", self->turned_away_n, NULL, 0);
    metric_row_u64(out, "openclaw_tls_handshakes_total", self->tls_handshakes_n, NULL, 0);
    metric_row_u64(out, "openclaw_tls_failures_total", self->tls_failures_n, NULL, 0);
    metric_row_u64(out, "openclaw_http2_connections_total", self->http2_connections_n, NULL, 0);
    metric_row_u64(out, "openclaw_http2_given_up_total", self->http2_given_up_n, NULL, 0);
    if (edge->cert.is_on && edge->cert.server.ctx) {
        metric_row_f64(out, "openclaw_tls_certificate_expires_seconds", (double)edge->cert.server.expires_s, NULL, 0);
    }
    metric_row_u64(out, "openclaw_client_queue_bytes", budget_used(edge), NULL, 0);
    for (enum large_kind i = 0; i < LARGE_KINDS; i++) {
        label = (struct metric_label){ "reason", span_from(large_reason(i)) };
        metric_row_u64(out, "openclaw_payload_large_total", edge->large.totals[i], &label, 1);
    }
}

int tally_on_read(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct edge *edge = arg;
    struct pack rows;
    int r;

    (void)msg;
    pack_init(&rows, 0);
    pack_array_begin(&rows);
    connections_pack(edge, &rows);
    methods_pack(&edge->tally, &rows);
    http_pack(&edge->tally, &rows);
    pack_array_end(&rows);
    r = pack_error(&rows);
    r = r ? r : actor_reply(ctx, MSG_METRICS_ROWS, &(struct msg_metrics_rows){ .rows = pack_span(&rows) });
    pack_deinit(&rows);
    return r;
}
