/*
 * numbers: what an agent counts of itself, and how it tells it.
 */
#ifndef ACTORS_AGENT_NUMBERS_H
#define ACTORS_AGENT_NUMBERS_H

#include <stdint.h>

#include "actors/agent/session.h"
#include "bus/actor.h"
#include "schema/base/metric.h"

#define NUMBERS_PROVIDERS_MAX 8 /* told apart; the rest is "other" */

struct numbers_provider {
    char id[PROVIDER_ID_MAX]; /* empty: free */
    struct metric_histogram took;
    struct metric_histogram first; /* to the first of its text */
};

struct numbers {
    uint64_t done_n;
    uint64_t failed_n;
    uint64_t aborted_n;
    uint64_t tokens_in_n;
    uint64_t tokens_out_n;
    struct numbers_provider providers[NUMBERS_PROVIDERS_MAX + 1]; /* the last one: other */
};

/* The provider has said something for the first time. */
void numbers_first(struct numbers *self, const struct run *run);
/* The run has come to its end, as its row says. */
void numbers_end(struct numbers *self, const struct run *run);

/* Handler of metrics_read. */
int on_metrics_read(void *arg, struct actor_ctx *ctx, const void *msg);

#endif
