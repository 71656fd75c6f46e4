/*
 * metrics_rows: what hosts, channels and health itself say, as rows of numbers. Pure.
 */
#ifndef ACTORS_HEALTH_METRICS_ROWS_H
#define ACTORS_HEALTH_METRICS_ROWS_H

#include "actors/health/report.h"
#include "bus/actor.h"
#include "bus/pack.h"

/* Each appends rows to a list that is open. */
void metrics_rows_self(const struct report_input *in, struct pack *out);
void metrics_rows_process(struct span host, uint64_t rss_bytes, double cpu_s, struct pack *out);
/* `said` is the answer to bus.actors, packed. */
void metrics_rows_host(struct span said, struct pack *out);
/* `said` is channel_state, packed. */
void metrics_rows_channel(struct span said, struct pack *out);

#endif
