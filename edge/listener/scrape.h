/*
 * scrape: GET /metrics: everybody's numbers, gathered by health, for Prometheus.
 */
#ifndef EDGE_LISTENER_SCRAPE_H
#define EDGE_LISTENER_SCRAPE_H

struct exchange;

/* For exchange_begin. */
void scrape_start(struct exchange *self);

#endif
