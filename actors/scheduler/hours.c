#include "actors/scheduler/hours.h"

#define DAY_MINUTES 1440
#define MINUTE_MS 60000
#define WEEK_MS (INT64_C(7) * DAY_MINUTES * MINUTE_MS)

static int minute_of_day(const struct zone *zone, int64_t at_ms)
{
    int64_t at_s = at_ms / 1000;
    int64_t minutes = (at_s + zone_offset_s(zone, at_s)) / 60 % DAY_MINUTES;

    return (int)(minutes < 0 ? minutes + DAY_MINUTES : minutes);
}

bool hours_hold(const struct hours *self, const struct zone *zone, int64_t at_ms)
{
    int minute;

    if (!self->is_set) {
        return true;
    }
    minute = minute_of_day(zone, at_ms);
    if (self->start <= self->end) {
        return minute >= self->start && minute < self->end;
    }
    return minute >= self->start || minute < self->end;
}

/* Milliseconds from a moment outside to the opening, as clocks run on an ordinary day. */
static int64_t until_open_ms(const struct hours *self, const struct zone *zone, int64_t at_ms)
{
    int wait = self->start - minute_of_day(zone, at_ms);

    return (int64_t)(wait <= 0 ? wait + DAY_MINUTES : wait) * MINUTE_MS - at_ms % MINUTE_MS;
}

int64_t hours_seek(const struct hours *self, const struct zone *zone, int64_t from_ms, int64_t step_ms)
{
    int64_t at_ms = from_ms;

    if (self->is_set && self->start == self->end) {
        return 0;
    }
    while (!hours_hold(self, zone, at_ms)) {
        /* Up to an hour short of the opening, as the clocks may be put forward before it. */
        int64_t skip_ms = until_open_ms(self, zone, at_ms) - INT64_C(60) * MINUTE_MS;

        at_ms += skip_ms > step_ms ? (skip_ms / step_ms) * step_ms : step_ms;
        if (at_ms - from_ms > WEEK_MS) {
            return 0;
        }
    }
    return at_ms;
}
