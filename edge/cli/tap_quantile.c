#include "edge/cli/tap_quantile.h"

/* Below 16 each value has a cell of its own. */
static unsigned cell_of(uint64_t value)
{
    unsigned power;

    if (value < TAP_QUANTILE_PARTS) {
        return (unsigned)value;
    }
    power = 63U - (unsigned)__builtin_clzll(value);
    return (power - 3) * TAP_QUANTILE_PARTS + (unsigned)(value >> (power - 4) & (TAP_QUANTILE_PARTS - 1));
}

/* The greatest value that is counted there. */
static uint64_t cell_most(unsigned cell)
{
    unsigned power = cell / TAP_QUANTILE_PARTS + 3;

    if (cell < TAP_QUANTILE_PARTS) {
        return cell;
    }
    return ((uint64_t)(TAP_QUANTILE_PARTS + cell % TAP_QUANTILE_PARTS) << (power - 4)) +
           (((uint64_t)1 << (power - 4)) - 1);
}

void tap_quantile_note(struct tap_quantile *self, uint64_t value)
{
    self->n++;
    self->most = value > self->most ? value : self->most;
    self->cells[cell_of(value)]++;
}

uint64_t tap_quantile_get(const struct tap_quantile *self, double share)
{
    uint64_t wanted = (uint64_t)((double)self->n * share + 0.999999);
    uint64_t met = 0;

    for (unsigned i = 0; i < TAP_QUANTILE_CELLS && self->n; i++) {
        met += self->cells[i];
        if (met && met >= wanted) {
            return cell_most(i) < self->most ? cell_most(i) : self->most;
        }
    }
    return self->most;
}
