#include "bus/base/clock.h"

#include <time.h>

static struct timespec now_of(clockid_t id)
{
    struct timespec now = { 0 };

    (void)clock_gettime(id, &now); /* fails only for an unknown clock */
    return now;
}

uint64_t clock_mono_ns(void)
{
    struct timespec now = now_of(CLOCK_MONOTONIC);

    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_ns() / 1000000U;
}

int64_t clock_wall_us(void)
{
    struct timespec now = now_of(CLOCK_REALTIME);

    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}
