#include "edge/cli/cli_format.h"

#include <inttypes.h>
#include <stdio.h>

#include "bus/value.h"

#define SECOND_MS 1000
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

const char *cli_format_span(int64_t ms, char out[CLI_FORMAT_LEN])
{
    if (ms < SECOND_MS) {
        (void)snprintf(out, CLI_FORMAT_LEN, "%" PRId64 " ms", ms < 0 ? 0 : ms);
    } else if (ms < MINUTE_MS) {
        (void)snprintf(out, CLI_FORMAT_LEN, "%" PRId64 " s", ms / SECOND_MS);
    } else if (ms < HOUR_MS) {
        (void)snprintf(out, CLI_FORMAT_LEN, "%" PRId64 " min", ms / MINUTE_MS);
    } else if (ms < 2 * DAY_MS) {
        (void)snprintf(out, CLI_FORMAT_LEN, "%" PRId64 " h", ms / HOUR_MS);
    } else {
        (void)snprintf(out, CLI_FORMAT_LEN, "%" PRId64 " d", ms / DAY_MS);
    }
    return out;
}

const char *cli_format_age(int64_t ms, char out[CLI_FORMAT_LEN])
{
    char span[CLI_FORMAT_LEN];

    if (ms < 0) {
        return "never";
    }
    if (ms < SECOND_MS) {
        return "just now";
    }
    (void)snprintf(out, CLI_FORMAT_LEN, "%.20s ago", cli_format_span(ms, span));
    return out;
}

const char *cli_format_bytes(uint64_t bytes, char out[CLI_FORMAT_LEN])
{
    static const char units[] = "kMGTPE";
    double amount = (double)bytes;
    int unit = -1;

    while (amount >= 1000 && unit < (int)sizeof(units) - 2) {
        amount /= 1000;
        unit++;
    }
    if (unit < 0) {
        (void)snprintf(out, CLI_FORMAT_LEN, "%" PRIu64 " B", bytes);
    } else {
        (void)snprintf(out, CLI_FORMAT_LEN, "%.*f %cB", amount < 10 ? 1 : 0, amount, units[unit]);
    }
    return out;
}

const char *cli_format_count(int64_t number, char out[CLI_FORMAT_LEN])
{
    static const char units[] = { 'k', 'M', 'G', 'T' };
    double value = (double)number;
    size_t unit = 0;

    if (number < 10000) {
        (void)snprintf(out, CLI_FORMAT_LEN, "%" PRId64, number);
        return out;
    }
    for (value /= 1000; value >= 1000 && unit + 1 < sizeof(units); value /= 1000) {
        unit++;
    }
    (void)snprintf(out, CLI_FORMAT_LEN, value < 10 ? "%.1f%c" : "%.0f%c", value, units[unit]);
    return out;
}

const char *cli_format_str(struct span value, const char *fallback, char *out, size_t out_size)
{
    struct span text = value_str(value, span_from(fallback));

    (void)snprintf(out, out_size, "%.*s", (int)(text.len < out_size ? text.len : out_size), text.ptr ? text.ptr : "");
    return out;
}
