/*
 * watchers: which edges have anybody to show events to, as far as they have said.
 *
 * Pure. An edge that has said nothing counts as one that has; so does one that is known only to the bus.
 */
#ifndef ACTORS_AGENT_WATCHERS_H
#define ACTORS_AGENT_WATCHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define WATCHERS_MAX 64U
#define WATCHERS_ADDRESS_MAX 128U

struct watchers {
    struct {
        char address[WATCHERS_ADDRESS_MAX];
        bool is_watching;
    } edges[WATCHERS_MAX];
    uint32_t edges_n;
};

/* What `edge` said. Of more than WATCHERS_MAX edges the rest stay unheard, which is safe. */
void watchers_note(struct watchers *self, struct span edge, bool is_watching);
/* Whether one of them may watch, of so many that the bus knows. */
bool watchers_any(const struct watchers *self, size_t edges_n);

#endif
