/* Batches of the tap: order and number hold, and every record becomes one line. */
#include "edge/cli/tap_order.h"
#include "tests/fuzz/fuzz.h"

static void line_check(struct text_buf *line)
{
    FUZZ_HOLD(line->len > 0 && line->data[line->len - 1] == '\n');
    line->len = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tap_calls calls;
    struct tap_order order = { 0 };
    struct text_buf line = { 0 };
    struct tap_held *held;
    unsigned malformed = 0;
    int64_t last_us = INT64_MIN;

    (void)tap_order_add(&order, (struct span){ (const char *)data, size }, &malformed);
    FUZZ_HOLD(order.n + malformed <= size);
    (void)tap_order_dropped(&order);
    while ((held = tap_order_take(&order, INT64_MAX))) {
        FUZZ_HOLD(held->record.ts_us >= last_us);
        last_us = held->record.ts_us;
        tap_record_pair(&held->record, &calls);
        (void)tap_record_subject(&held->record);
        if (tap_record_json(&held->record, &line) == 0) {
            FUZZ_HOLD(memchr(line.data, '\n', line.len) == line.data + line.len - 1);
            line_check(&line);
        }
        line.len = 0;
        if (tap_record_text(&held->record, &line) == 0) {
            line_check(&line);
        }
        line.len = 0;
        free(held);
    }
    text_buf_deinit(&line);
    tap_order_deinit(&order);
    return 0;
}
