/*
 * metric: numbers that their owners keep, and the form in which they tell them to who
 * gathers them: a packed list of rows [name, value, label, text, label, text …], where the
 * value is a number, or for a histogram the array [sum in seconds, count up to each bound …,
 * count of all]. Pure.
 */
#ifndef SCHEMA_BASE_METRIC_H
#define SCHEMA_BASE_METRIC_H

#include <stdint.h>

#include "bus/base/span.h"
#include "bus/pack.h"

#define METRIC_BOUNDS 16
#define METRIC_LABELS_MAX 3

/* How long things took. Noting one is one addition to one counter. */
struct metric_histogram {
    uint64_t counts[METRIC_BOUNDS + 1]; /* the last one: longer than every bound */
    uint64_t sum_ns;
};

/* Seconds, rising. */
double metric_bound(size_t i);
void metric_note(struct metric_histogram *self, uint64_t ns);
uint64_t metric_count(const struct metric_histogram *self);

struct metric_label {
    const char *name;
    struct span text;
};

/* `labels_n` of at most METRIC_LABELS_MAX. */
void metric_row_u64(struct pack *out, const char *name, uint64_t value, const struct metric_label *labels,
                    size_t labels_n);
void metric_row_f64(struct pack *out, const char *name, double value, const struct metric_label *labels,
                    size_t labels_n);
void metric_row_histogram(struct pack *out, const char *name, const struct metric_histogram *value,
                          const struct metric_label *labels, size_t labels_n);

#endif
