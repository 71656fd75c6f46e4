/*
 * bus_top: what every actor did between two looks at it: rates and memory by what the
 * gateway counts, times by the records of a tap. Pure.
 */
#ifndef EDGE_CLI_BUS_TOP_H
#define EDGE_CLI_BUS_TOP_H

#include "bus/json.h"
#include "bus/pack.h"
#include "bus/tap_record.h"
#include "edge/cli/tap_quantile.h"

struct bus_top {
    struct text_buf before; /* the answer of the look before, packed */
    uint64_t before_ns;
    uint64_t dropped;             /* records that the tap has lost so far */
    struct bus_top_actor *actors; /* whose records have been seen since */
};

void bus_top_deinit(struct bus_top *self);
void bus_top_note(struct bus_top *self, const struct tap_record *record);

/*
 * A look: `answer` is that of the control socket to "actors", packed, `now_ns` any clock.
 * Appends {intervalMs, dropped, actors: [{…}], hosts: [{…}]}, what has passed since the look before,
 * busiest actors first; with none before, rates are absent. 0 or a fault.
 */
int bus_top_look(struct bus_top *self, struct span answer, uint64_t now_ns, struct pack *out);

#endif
