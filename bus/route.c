#include "bus/route.h"

#include <stdlib.h>

#include "bus/base/mem.h"

static uint32_t name_hash(struct span name)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ (uint8_t)name.ptr[i]) * 16777619U;
    }
    return hash;
}

static struct route_cell *route_cell(const struct route_table *table, struct span name)
{
    uint32_t hash = name_hash(name);

    for (uint32_t i = hash & table->mask;; i = (i + 1) & table->mask) {
        struct route_cell *cell = &table->cells[i];

        if (!cell->route.on ||
            (cell->hash == hash && span_is((struct span){ cell->route.msg->name, cell->route.msg->name_len }, name))) {
            return cell;
        }
    }
}

void route_table_add(struct route_table *self, const struct actor_route *route)
{
    struct span name = { route->msg->name, route->msg->name_len };

    if (!self->cells || self->used * 2 >= self->mask) {
        struct route_table grown = { .mask = self->cells ? self->mask * 2 + 1 : 15 };

        grown.cells = mem_new((grown.mask + 1U) * sizeof(*grown.cells));
        for (uint32_t i = 0; self->cells && i <= self->mask; i++) {
            if (self->cells[i].route.on) {
                route_table_add(&grown, &self->cells[i].route);
            }
        }
        free(self->cells);
        *self = grown;
    }
    struct route_cell *cell = route_cell(self, name);
    self->used += cell->route.on ? 0 : 1;
    cell->route = *route;
    cell->hash = name_hash(name);
}

const struct actor_route *route_table_find(const struct route_table *self, struct span name)
{
    const struct route_cell *cell = self->cells ? route_cell(self, name) : NULL;

    return cell && cell->route.on ? &cell->route : NULL;
}

void route_table_deinit(struct route_table *self)
{
    free(self->cells);
    *self = (struct route_table){ 0 };
}
