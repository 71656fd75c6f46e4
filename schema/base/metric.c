#include "schema/base/metric.h"

static const double bounds[METRIC_BOUNDS] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                              0.25,   0.5,   1,      2.5,   5,    10,    30,   60 };

double metric_bound(size_t i)
{
    return bounds[i];
}

void metric_note(struct metric_histogram *self, uint64_t ns)
{
    double seconds = (double)ns / 1e9;
    size_t i = 0;

    while (i < METRIC_BOUNDS && seconds > bounds[i]) {
        i++;
    }
    self->counts[i]++;
    self->sum_ns += ns;
}

uint64_t metric_count(const struct metric_histogram *self)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
        count += self->counts[i];
    }
    return count;
}

static void row_begin(struct pack *out, const char *name)
{
    pack_array_begin(out);
    pack_text(out, name);
}

static void row_end(struct pack *out, const struct metric_label *labels, size_t labels_n)
{
    for (size_t i = 0; i < labels_n; i++) {
        pack_text(out, labels[i].name);
        pack_str(out, labels[i].text);
    }
    pack_array_end(out);
}

void metric_row_u64(struct pack *out, const char *name, uint64_t value, const struct metric_label *labels,
                    size_t labels_n)
{
    row_begin(out, name);
    pack_u64(out, value);
    row_end(out, labels, labels_n);
}

void metric_row_f64(struct pack *out, const char *name, double value, const struct metric_label *labels,
                    size_t labels_n)
{
    row_begin(out, name);
    pack_f64(out, value);
    row_end(out, labels, labels_n);
}

void metric_row_histogram(struct pack *out, const char *name, const struct metric_histogram *value,
                          const struct metric_label *labels, size_t labels_n)
{
    uint64_t count = 0;

    row_begin(out, name);
    pack_array_begin(out);
    pack_f64(out, (double)value->sum_ns / 1e9);
    for (size_t i = 0; i <= METRIC_BOUNDS; i++) {
        count += value->counts[i];
        pack_u64(out, count);
    }
    pack_array_end(out);
    row_end(out, labels, labels_n);
}
