#include "edge/listener/patience.h"

void patience_earn(struct patience *self, uint32_t n)
{
    self->spent -= n < self->spent ? n : self->spent;
}

bool patience_spend(struct patience *self, uint32_t n, uint64_t now_ms)
{
    uint64_t back = (now_ms - self->since_ms) * PATIENCE_PER_SECOND / 1000;

    if (self->spent == 0) {
        self->since_ms = now_ms;
    } else if (back > 0) {
        patience_earn(self, back < PATIENCE_MAX ? (uint32_t)back : PATIENCE_MAX);
        self->since_ms = now_ms;
    }
    self->spent += n;
    return self->spent <= PATIENCE_MAX;
}
