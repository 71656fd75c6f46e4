/* Recordings of the tap: any file is refused or read, and what was read is written to come out the same. */
#include <sys/mman.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "edge/cli/tap_line.h"
#include "edge/cli/tap_load.h"
#include "tests/fuzz/fuzz.h"

static const char *const filters[] = { "", "trace == 1 || to ~ a*", "ts > 5 && !(bytes < 3)", "latency > 1" };

static void block_check(const struct tap_record *record)
{
    CLEANUP(tap_block_deinit) struct tap_block block = { 0 };
    CLEANUP(tap_block_close) struct tap_block_reader reader = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf bytes = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf a = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf b = { 0 };
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct envelope env;
    struct tap_record again;

    FUZZ_HOLD(envelope_decode((struct span){ (const char *)header, envelope_encode(&record->env, header) }, &env));
    FUZZ_HOLD(tap_block_add(&block, record) == 0 && tap_block_write(&block, &bytes) == 0);
    FUZZ_HOLD(tap_block_open((struct span){ bytes.data, bytes.len }, &reader) == 0);
    FUZZ_HOLD(tap_block_next(&reader, &again) == 0);
    if (tap_line_json(record, &a) == 0) {
        FUZZ_HOLD(tap_line_json(&again, &b) == 0 &&
                  span_is((struct span){ a.data, a.len }, (struct span){ b.data, b.len }));
    }
}

static void block_read(struct span bytes)
{
    CLEANUP(tap_block_close) struct tap_block_reader reader = { 0 };
    struct tap_record record;
    size_t n = 0;

    if (tap_block_open(bytes, &reader) == 0) {
        while (tap_block_next(&reader, &record) == 0) {
            FUZZ_HOLD(++n <= bytes.len);
            if (record.latency_ms < 1e9) { /* beyond it a double has no microseconds */
                block_check(&record);
            }
        }
    }
}

static void file_read(const uint8_t *data, size_t size, const char *text)
{
    int fd = memfd_create("record", MFD_CLOEXEC);
    struct tap_filter filter = { 0 };
    struct tap_filter_error error;
    struct tap_load *load = NULL;
    struct tap_record record;
    size_t n = 0;

    FUZZ_HOLD(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    FUZZ_HOLD(!text[0] || tap_filter_parse(span_from(text), &filter, &error) == 0);
    if (tap_load_new(fd, &load)) {
        return;
    }
    while (tap_load_next(load, &filter, &record) == 0) {
        FUZZ_HOLD(++n <= size);
    }
    tap_load_destroy(&load);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    block_read((struct span){ (const char *)data, size });
    file_read(data, size, filters[size % ARRAY_LEN(filters)]);
    return 0;
}
