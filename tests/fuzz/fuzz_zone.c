/* Files of time zones and the rules at their end: whatever they hold, an offset is that of a place on earth. */
#include <string.h>

#include "actors/scheduler/hours.h"
#include "actors/scheduler/zone.h"
#include "tests/fuzz/fuzz.h"

#define OFFSET_MAX_S (28 * 3600)

static void offsets_hold(const struct zone *zone)
{
    static const int64_t at_s[] = { INT64_MIN, -1, 0, 951782400, 1774746000, 4102444800, INT64_C(1) << 40, INT64_MAX };
    struct hours hours = { .is_set = true, .start = 540, .end = 1320 };

    for (size_t i = 0; i < sizeof(at_s) / sizeof(at_s[0]); i++) {
        int32_t offset_s = zone_offset_s(zone, at_s[i]);

        FUZZ_HOLD(offset_s >= -OFFSET_MAX_S && offset_s <= OFFSET_MAX_S);
    }
    for (size_t i = 2; i < 6; i++) {
        int64_t at_ms = hours_seek(&hours, zone, at_s[i] * 1000, 60000);

        FUZZ_HOLD(at_ms == 0 || hours_hold(&hours, zone, at_ms));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = { (const char *)data, size };
    struct zone zone = { .name = "" };

    if (zone_rule_parse(bytes, &zone.rule)) {
        offsets_hold(&zone);
    }
    if (zone_parse(bytes, &zone) == 0) {
        offsets_hold(&zone);
        zone_deinit(&zone);
    }
    return 0;
}
