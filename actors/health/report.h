/*
 * report: the payloads that clients get, written from facts. Pure.
 */
#ifndef ACTORS_HEALTH_REPORT_H
#define ACTORS_HEALTH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/health/facts.h"
#include "bus/pack.h"

/* How busy the process was since the reading before. */
struct report_load {
    uint64_t interval_ms;
    double cpu_ratio;   /* CPU time of all threads over time passed: 2.0 is two cores */
    double utilization; /* share of the interval in which health's own loop was not asleep */
    double late_ms;     /* most that one of its timers was late */
};

struct report_input {
    const struct facts *facts;
    const struct facts_verdict *verdict;
    struct report_load load;
    int64_t now_ms;
    uint64_t duration_ms; /* that the last round of questions took */
    uint64_t uptime_ms;
    uint64_t rss_bytes;
    uint32_t pid;
    uint32_t connections_n;
    uint32_t readers_n;
};

/* The payload of `health` and of the event of that name. */
void report_health(const struct report_input *in, struct pack *out);
/* The same with its map left open, for keys that only the edge reads. */
void report_health_open(const struct report_input *in, struct pack *out);
/* The payload of `status`; paths, session ids and models are for administrators only. */
void report_status(const struct report_input *in, bool is_admin, struct pack *out);
/* The payload of `channels.status`. */
void report_channels(const struct report_input *in, struct pack *out);
/* Appends the key eventLoop and its map. */
void report_load_pack(const struct report_load *load, struct pack *out);
/* Ends in the same digest while nothing changed that a watcher must hear of. */
uint64_t report_digest(const struct facts *facts, const struct facts_verdict *verdict);

#endif
