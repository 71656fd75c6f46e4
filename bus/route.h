/*
 * route: from the name of a message to its handler, by open addressing.
 */
#ifndef BUS_ROUTE_H
#define BUS_ROUTE_H

#include "bus/actor.h"

struct route_table {
    struct route_cell {
        struct actor_route route;
        uint32_t hash;
    } * cells;
    uint32_t mask;
    uint32_t used;
};

/* Adds, or replaces the one of the same name. */
void route_table_add(struct route_table *self, const struct actor_route *route);
/* NULL when there is none. */
const struct actor_route *route_table_find(const struct route_table *self, struct span name);
void route_table_deinit(struct route_table *self);

#endif
