#include "actors/agent/watchers.h"

#include <string.h>

void watchers_note(struct watchers *self, struct span edge, bool is_watching)
{
    uint32_t at = 0;

    while (at < self->edges_n && !span_is_text(edge, self->edges[at].address)) {
        at++;
    }
    if (at == self->edges_n) {
        if (at == WATCHERS_MAX || edge.len >= WATCHERS_ADDRESS_MAX) {
            return;
        }
        memcpy(self->edges[at].address, edge.ptr, edge.len);
        self->edges[at].address[edge.len] = '\0';
        self->edges_n++;
    }
    self->edges[at].is_watching = is_watching;
}

bool watchers_any(const struct watchers *self, size_t edges_n)
{
    for (uint32_t i = 0; i < self->edges_n; i++) {
        if (self->edges[i].is_watching) {
            return true;
        }
    }
    return self->edges_n < edges_n;
}
