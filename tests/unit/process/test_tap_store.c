/* Recordings: what goes in comes out, little of it is read in vain, and damage is passed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "edge/cli/tap_line.h"
#include "edge/cli/tap_load.h"

struct place {
    char dir[32];
    char path[64];
};

static void place_begin(struct place *self)
{
    (void)snprintf(self->dir, sizeof(self->dir), "/tmp/tap-store-XXXXXX");
    assert_non_null(mkdtemp(self->dir));
    (void)snprintf(self->path, sizeof(self->path), "%s/record", self->dir);
}

static void place_end(struct place *self)
{
    char path[80];

    for (unsigned i = 0; i < 9; i++) {
        (void)snprintf(path, sizeof(path), i ? "%s.%u" : "%s", self->path, i);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(self->dir), 0);
}

static struct tap_record record_of(unsigned i, char name[16])
{
    (void)snprintf(name, 16, "method%u", i / 4000);
    struct tap_record record = { .ts_us = 1700000000000000 + (int64_t)i * 10,
                                 .host = SPAN_LIT("main"),
                                 .address = SPAN_LIT("edge/0"),
                                 .env = { .kind = i % 2 ? ENVELOPE_REPLY : ENVELOPE_CALL,
                                          .id = i,
                                          .corr = i / 2,
                                          .from = SPAN_LIT("edge/0"),
                                          .to = SPAN_LIT("agent/main"),
                                          .name = span_from(name),
                                          .left_ms = i % 2 ? UINT32_MAX : 30000,
                                          .trace = { i / 8 + 1, 7 },
                                          .incarnation = 0x10001 },
                                 .bytes = i % 100,
                                 .has_latency = i % 2,
                                 .latency_ms = i % 2 ? 0.125 : 0 };

    tap_subject_trace(record.env.trace, record.trace);
    return record;
}

static void record(const struct place *place, unsigned n, uint64_t rotate_bytes, unsigned keep)
{
    struct tap_store *store = NULL;
    char name[16];

    assert_int_equal(tap_store_new(&(struct tap_store_opts){ place->path, rotate_bytes, keep }, &store), 0);
    for (unsigned i = 0; i < n; i++) {
        struct tap_record one = record_of(i, name);

        assert_int_equal(tap_store_add(store, &one), 0);
    }
    assert_int_equal(tap_store_records(store), n);
    assert_int_equal(tap_store_close(store), 0);
    tap_store_destroy(&store);
}

static uint64_t size_of(const char *path)
{
    struct stat status;

    return stat(path, &status) ? 0 : (uint64_t)status.st_size;
}

/* How many records fit; `sums` tells what it took. */
static unsigned count(const char *path, const char *text, struct tap_load_sums *sums)
{
    struct tap_load *load = NULL;
    struct tap_filter filter = { 0 };
    struct tap_filter_error error;
    struct tap_record one;
    unsigned n = 0;
    int r;

    if (text[0]) {
        assert_int_equal(tap_filter_parse(span_from(text), &filter, &error), 0);
    }
    assert_int_equal(tap_load_new(open(path, O_RDONLY), &load), 0);
    while ((r = tap_load_next(load, &filter, &one)) == 0) {
        n++;
    }
    assert_int_equal(r, TAP_LOAD_E_END);
    *sums = tap_load_sums(load);
    tap_load_destroy(&load);
    return n;
}

static void what_goes_in_comes_out(void **state)
{
    static const char body[] = "\x81\xa1k\xa1v";
    struct tap_record in = { .ts_us = 5,
                             .host = SPAN_LIT("h"),
                             .address = SPAN_LIT("a"),
                             .env = { .kind = ENVELOPE_CALL,
                                      .id = UINT64_MAX,
                                      .corr = 1ULL << 63,
                                      .from = SPAN_LIT("a"),
                                      .to = SPAN_LIT("b"),
                                      .name = SPAN_LIT("n"),
                                      .left_ms = 0,
                                      .flags = 65536,
                                      .trace = { 1, 2 },
                                      .principal = SPAN_LIT("p"),
                                      .incarnation = 3,
                                      .via = SPAN_LIT("v"),
                                      .asker = 4 },
                             .bytes = sizeof(body) - 1,
                             .body = { body, sizeof(body) - 1 },
                             .note = SPAN_LIT("not there"),
                             .session = SPAN_LIT("s"),
                             .has_latency = true,
                             .latency_ms = 1.5,
                             .is_handled = true,
                             .waited_us = 8,
                             .busy_us = 9 };
    CLEANUP(tap_block_deinit) struct tap_block block = { 0 };
    CLEANUP(tap_block_close) struct tap_block_reader reader = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf bytes = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf a = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf b = { 0 };
    struct tap_record out;

    (void)state;
    tap_subject_trace(in.env.trace, in.trace);
    assert_int_equal(tap_block_add(&block, &in), 0);
    in.ts_us = -7; /* time may go back */
    assert_int_equal(tap_block_add(&block, &in), 0);
    assert_int_equal(block.first_us, -7);
    assert_int_equal(block.last_us, 5);
    assert_int_equal(tap_block_write(&block, &bytes), 0);
    assert_int_equal(tap_block_open((struct span){ bytes.data, bytes.len }, &reader), 0);
    assert_int_equal(tap_block_next(&reader, &out), 0);
    assert_int_equal(out.ts_us, 5);
    assert_int_equal(tap_block_next(&reader, &out), 0);
    assert_int_equal(tap_line_json(&in, &a), 0);
    assert_int_equal(tap_line_json(&out, &b), 0);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    assert_int_equal(out.env.flags, 65536);
    assert_int_equal(out.env.asker, 4);
    assert_int_equal(out.env.incarnation, 3);
    assert_true(out.is_handled && out.waited_us == 8 && out.busy_us == 9);
    assert_int_equal(tap_block_next(&reader, &out), TAP_BLOCK_E_END);
}

static void a_record_takes_few_bytes(void **state)
{
    struct place place;
    struct tap_load_sums sums;

    (void)state;
    place_begin(&place);
    record(&place, 20000, 0, 0);
    assert_in_range(size_of(place.path), 1, 20000 * 24);
    assert_int_equal(count(place.path, "", &sums), 20000);
    assert_true(sums.is_indexed && !sums.is_cut && sums.damaged == 0 && sums.blocks > 4);
    place_end(&place);
}

static void blocks_that_hold_nothing_are_passed_over(void **state)
{
    static const struct {
        const char *filter;
        unsigned n;
        unsigned read_most; /* blocks */
    } asked[] = {
        { "trace == 00000000000000010000000000000007", 8, 1 },
        { "method == method4", 4000, 3 },
        { "method == nobody", 0, 0 },
        { "bytes > 99", 0, 0 },
        { "ts < 1700000000000.05", 5, 1 },
        { "ts >= 1700000000199.99 && kind == reply", 1, 1 },
        { "to == nobody || from == nobody", 0, 0 },
        { "!(to == agent/main)", 0, 99 },
        { "kind == cast", 0, 0 },
        { "latency > 0.1 && method == method0", 2000, 3 },
    };
    struct place place;
    struct tap_load_sums sums;

    (void)state;
    place_begin(&place);
    record(&place, 20000, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        unsigned n = count(place.path, asked[i].filter, &sums);

        if (n != asked[i].n || sums.blocks - sums.skipped > asked[i].read_most) {
            fail_msg("%s: %u records, %u blocks read", asked[i].filter, n, (unsigned)(sums.blocks - sums.skipped));
        }
    }
    place_end(&place);
}

static void a_file_that_was_not_closed_is_read_as_far_as_it_goes(void **state)
{
    struct place place;
    struct tap_load_sums sums;
    unsigned n;
    uint64_t size;

    (void)state;
    place_begin(&place);
    record(&place, 20000, 0, 0);
    size = size_of(place.path);
    assert_int_equal(truncate(place.path, (off_t)(size / 2)), 0);
    n = count(place.path, "", &sums);
    assert_in_range(n, 20000 / 4, 20000 * 3 / 4);
    assert_true(sums.is_cut && !sums.is_indexed);
    assert_int_equal(count(place.path, "ts < 1700000000000.05", &sums), 5);
    assert_true(sums.skipped > 0);
    place_end(&place);
}

static void a_damaged_block_is_left_out_and_counted(void **state)
{
    struct place place;
    struct tap_load_sums sums;
    unsigned n;
    int fd;

    (void)state;
    place_begin(&place);
    record(&place, 20000, 0, 0);
    fd = open(place.path, O_WRONLY);
    assert_int_equal(pwrite(fd, "XXXX", 4, 3000), 4);
    assert_int_equal(close(fd), 0);
    n = count(place.path, "", &sums);
    assert_int_equal(sums.damaged, 1);
    assert_in_range(n, 10000, 19999);
    place_end(&place);
}

static void what_is_no_recording_is_refused(void **state)
{
    struct place place;
    struct tap_load *load = NULL;
    int fd;

    (void)state;
    place_begin(&place);
    fd = open(place.path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, "{\"a\":1}\n and more of it", 23), 23);
    assert_int_equal(tap_load_new(fd, &load), TAP_LOAD_E_FOREIGN);
    assert_int_equal(tap_load_new(open("/dev/null", O_RDONLY), &load), TAP_LOAD_E_FOREIGN);
    assert_int_equal(tap_load_new(open(place.dir, O_RDONLY | O_DIRECTORY), &load), TAP_LOAD_E_FOREIGN);
    place_end(&place);
}

static void a_full_file_makes_room_for_the_next(void **state)
{
    struct place place;
    struct tap_load_sums sums;
    char path[80];
    unsigned n = 0;

    (void)state;
    place_begin(&place);
    record(&place, 60000, 200000, 2);
    n += count(place.path, "", &sums);
    for (unsigned i = 1; i <= 2; i++) {
        (void)snprintf(path, sizeof(path), "%s.%u", place.path, i);
        assert_in_range(size_of(path), 200000, 300000);
        n += count(path, "", &sums);
        assert_true(sums.is_indexed);
    }
    assert_in_range(n, 20000, 59999);
    (void)snprintf(path, sizeof(path), "%s.3", place.path);
    assert_int_equal(size_of(path), 0);
    place_end(&place);
}

static void no_file_is_written_over(void **state)
{
    struct place place;
    struct tap_store *store = NULL;

    (void)state;
    place_begin(&place);
    record(&place, 1, 0, 0);
    assert_int_equal(tap_store_new(&(struct tap_store_opts){ place.path, 0, 0 }, &store), -EEXIST);
    place_end(&place);
}

static void a_block_that_has_waited_is_written(void **state)
{
    struct place place;
    struct tap_load_sums sums;
    struct tap_store *store = NULL;
    char name[16];
    struct tap_record one = record_of(0, name);

    (void)state;
    place_begin(&place);
    assert_int_equal(tap_store_new(&(struct tap_store_opts){ place.path, 0, 0 }, &store), 0);
    assert_int_equal(tap_store_add(store, &one), 0);
    assert_int_equal(tap_store_tick(store, 0), 0);
    assert_int_equal(count(place.path, "", &sums), 1);
    assert_false(sums.is_cut);
    tap_store_destroy(&store);
    place_end(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(a_record_takes_few_bytes),
        cmocka_unit_test(blocks_that_hold_nothing_are_passed_over),
        cmocka_unit_test(a_file_that_was_not_closed_is_read_as_far_as_it_goes),
        cmocka_unit_test(a_damaged_block_is_left_out_and_counted),
        cmocka_unit_test(what_is_no_recording_is_refused),
        cmocka_unit_test(a_full_file_makes_room_for_the_next),
        cmocka_unit_test(no_file_is_written_over),
        cmocka_unit_test(a_block_that_has_waited_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
