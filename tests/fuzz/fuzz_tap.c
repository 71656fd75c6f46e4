/*
 * Batches of the tap: order and number hold, every record becomes one line, and what programs are shown of one says the
 * same when it is read again.
 */
#include "bus/base/cleanup.h"
#include "bus/tap_order.h"
#include "bus/tap_shown.h"
#include "bus/value.h"
#include "edge/cli/tap_line.h"
#include "tests/fuzz/fuzz.h"

static void line_check(struct text_buf *line)
{
    FUZZ_HOLD(line->len > 0 && line->data[line->len - 1] == '\n');
    line->len = 0;
}

static void shown_check(const struct tap_record *record)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct tap_record read;
    uint8_t first[ENVELOPE_HEADER_MAX];
    uint8_t again[ENVELOPE_HEADER_MAX];
    size_t len = envelope_encode(&record->env, first);

    pack_init(&pack, 0);
    pack_map_begin(&pack);
    tap_shown_pack(record, &pack);
    tap_shown_pack_rest(record, &pack);
    pack_map_end(&pack);
    if (pack_error(&pack) || !wire_check(pack.data, pack.len, 80)) {
        return; /* a text that is no UTF-8 */
    }
    FUZZ_HOLD(tap_shown_read(pack_span(&pack), &read));
    if (record->env.kind == ENVELOPE_CALL) { /* only of a call it is shown how much time it has */
        FUZZ_HOLD(envelope_encode(&read.env, again) == len && memcmp(first, again, len) == 0);
    }
}

/* Anything may be said to be such a map. */
static void map_check(struct span bytes)
{
    struct tap_record read;
    uint8_t header[ENVELOPE_HEADER_MAX];

    if (wire_check(bytes.ptr, bytes.len, 80) && tap_shown_read(bytes, &read)) {
        FUZZ_HOLD(envelope_encode(&read.env, header) <= sizeof(header));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tap_calls calls;
    struct tap_order order = { 0 };
    struct text_buf line = { 0 };
    struct tap_held *held;
    unsigned malformed = 0;
    int64_t last_us = INT64_MIN;

    map_check((struct span){ (const char *)data, size });
    (void)tap_order_add(&order, (struct span){ (const char *)data, size }, &malformed);
    FUZZ_HOLD(order.n + malformed <= size);
    (void)tap_order_dropped(&order);
    while ((held = tap_order_take(&order, INT64_MAX))) {
        FUZZ_HOLD(held->record.ts_us >= last_us);
        last_us = held->record.ts_us;
        tap_record_pair(&held->record, &calls);
        (void)tap_record_subject(&held->record);
        shown_check(&held->record);
        if (tap_line_json(&held->record, &line) == 0) {
            FUZZ_HOLD(memchr(line.data, '\n', line.len) == line.data + line.len - 1);
            line_check(&line);
        }
        line.len = 0;
        if (tap_line_text(&held->record, &line) == 0) {
            line_check(&line);
        }
        line.len = 0;
        free(held);
    }
    text_buf_deinit(&line);
    tap_order_deinit(&order);
    return 0;
}
