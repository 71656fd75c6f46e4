/*
 * exposition: rows of numbers (schema/base/metric.h) as the text that Prometheus reads,
 * format 0.0.4. Pure.
 */
#ifndef ACTORS_HEALTH_EXPOSITION_H
#define ACTORS_HEALTH_EXPOSITION_H

#include <stddef.h>

#include "bus/base/span.h"
#include "bus/json.h"

#define EXPOSITION_ROWS_MAX 65536 /* of all sources together */

/* Rows of one actor; a label `actor` names it unless it is empty. */
struct exposition_source {
    struct span actor;
    struct span rows; /* packed list, well-formed */
};

/* Families in a fixed order, each with its rows of every source. A row whose name is not
 * known here, or that is not as it should be, is left out. 0 or -ENOMEM. */
int exposition_write(const struct exposition_source *sources, size_t sources_n, struct text_buf *out);

#endif
