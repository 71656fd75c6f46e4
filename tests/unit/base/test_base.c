/* fault, mem, clock, log, span, durable and the names of failures. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>
#include <zmq.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/durable.h"
#include "bus/base/fault.h"
#include "bus/base/log.h"
#include "bus/base/log_text.h"
#include "bus/base/mem.h"
#include "bus/base/span.h"
#include "bus/failure.h"

static enum log_level seen_level;
static char seen_event[64];
static char seen_text[4096];
static unsigned seen_n;

static void sink(enum log_level level, const char *event, const char *text)
{
    seen_level = level;
    (void)snprintf(seen_event, sizeof(seen_event), "%s", event);
    (void)snprintf(seen_text, sizeof(seen_text), "%s", text);
    seen_n++;
}

static void a_fault_remembers_where_it_was_born(void **state)
{
    (void)state;
    assert_int_equal(FAULT(-EIO), -EIO);
    assert_non_null(strstr(fault_place(), "test_base.c:"));
}

static void folding_turns_only_outcomes_into_faults(void **state)
{
    (void)state;
    assert_int_equal(FAULT_FOLD(0), 0);
    assert_int_equal(FAULT_FOLD(-EIO), -EIO);
    assert_int_equal(FAULT_FOLD(3), -EPROTO);
}

static void fault_text_knows_errno_libzmq_and_libuv(void **state)
{
    (void)state;
    assert_string_equal(fault_text(-ENOMEM), strerror(ENOMEM));
    assert_string_equal(fault_text(-EFSM), zmq_strerror(EFSM));
    assert_string_equal(fault_text(UV_EOF), uv_strerror(UV_EOF));
    assert_string_equal(fault_text(ENOENT), strerror(ENOENT));
}

static void span_trim_takes_white_space_from_both_ends_alone(void **state)
{
    (void)state;
    assert_true(span_is_text(span_trim(SPAN_LIT(" \t\r\n\v\fa b\n ")), "a b"));
    assert_true(span_is_text(span_trim(SPAN_LIT("a")), "a"));
    assert_int_equal(span_trim(SPAN_LIT(" \n")).len, 0);
    assert_int_equal(span_trim((struct span){ 0 }).len, 0);
    assert_int_equal(span_trim(SPAN_LIT("\0 ")).len, 1);
}

static void what_is_written_durably_is_there(void **state)
{
    char dir[] = "/tmp/durable.XXXXXX";
    char path[64];
    char text[8] = { 0 };
    int fd;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_int_equal(durable_write(fd, SPAN_LIT("lasting")), 0);
    assert_int_equal(pread(fd, text, sizeof(text), 0), 7);
    assert_string_equal(text, "lasting");
    (void)close(fd);
    assert_int_equal(durable_name(path), 0);
    assert_int_equal(durable_name("no slash"), 0);
    assert_int_equal(durable_name("/root of all"), 0);
    assert_int_equal(durable_write(-1, SPAN_LIT("x")), -EBADF);
    (void)snprintf(path, sizeof(path), "%s/none/file", dir);
    assert_int_equal(durable_name(path), -ENOENT);
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void mem_new_is_zeroed_and_mem_text_terminated(void **state)
{
    CLEANUP(mem_free) char *zeros = mem_new(64);
    CLEANUP(mem_free) char *text = mem_text("abcdef", 3);
    CLEANUP(mem_free) char *empty = mem_text(NULL, 0);
    CLEANUP(mem_free) char *none = mem_new(0);

    (void)state;
    for (int i = 0; i < 64; i++) {
        assert_int_equal(zeros[i], 0);
    }
    assert_string_equal(text, "abc");
    assert_string_equal(empty, "");
    assert_non_null(none);
}

static void mem_free_leaves_null_behind(void **state)
{
    char *text = mem_text("x", 1);

    (void)state;
    mem_free(&text);
    assert_null(text);
    mem_free(&text);
}

static void mem_wipe_overwrites(void **state)
{
    char secret[] = "hunter2";

    (void)state;
    mem_wipe(secret, sizeof(secret));
    mem_wipe(NULL, 0);
    for (size_t i = 0; i < sizeof(secret); i++) {
        assert_int_equal(secret[i], 0);
    }
}

static void the_clocks_agree_with_themselves(void **state)
{
    uint64_t before = clock_mono_ns();
    int64_t wall = clock_wall_ms();

    (void)state;
    assert_true(clock_mono_ns() >= before);
    assert_true(clock_mono_ms() >= before / 1000000);
    assert_true(clock_wall_us() / 1000 >= wall);
    assert_true(wall > INT64_C(1500000000000)); /* 2017 */
}

static void log_passes_the_text_to_the_sink(void **state)
{
    (void)state;
    log_set_sink(sink, LOG_LEVEL_DEBUG);
    log_warning("link_up", "peer=%s rtt_ms=%u", "b", 7U);
    assert_int_equal(log_lowest(), LOG_LEVEL_DEBUG);
    assert_int_equal(seen_level, LOG_LEVEL_WARNING);
    assert_string_equal(seen_event, "link_up");
    assert_string_equal(seen_text, "peer=b rtt_ms=7");
    log_set_sink(NULL, LOG_LEVEL_INFO);
}

static void log_drops_what_is_below_the_lowest_level(void **state)
{
    unsigned before;

    (void)state;
    log_set_sink(sink, LOG_LEVEL_WARNING);
    before = seen_n;
    log_info("quiet", "a=%d", 1);
    log_debug("quiet", "a=%d", 1);
    assert_int_equal(seen_n, before);
    log_error("loud", "a=%d", 1);
    assert_int_equal(seen_n, before + 1);
    log_set_sink(NULL, LOG_LEVEL_INFO);
}

static const char *logged(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static const char *logged(const char *fmt, ...)
{
    static char text[32];
    va_list args;

    va_start(args, fmt);
    log_text_write(text, sizeof(text), fmt, args);
    va_end(args);
    return text;
}

static void a_value_stays_within_its_quotes(void **state)
{
    (void)state;
    log_set_sink(sink, LOG_LEVEL_DEBUG);
    log_info("x", "reason=\"%s\" n=%d next=\"%.*s\"", "said \"no\" \\", 7, 3, "a\"bcd");
    assert_string_equal(seen_text, "reason=\"said \\\"no\\\" \\\\\" n=7 next=\"a\\\"b\"");
    log_set_sink(NULL, LOG_LEVEL_INFO);
    assert_string_equal(logged("a=%s b=\"%s\" c=%s", "\"", "\"", "\""), "a=\" b=\"\\\"\" c=\"");
    assert_string_equal(logged("a=\"%s%%%s\"", "", "\\"), "a=\"%\\\\\"");
}

static void all_that_printf_can_write_is_written(void **state)
{
    (void)state;
    assert_string_equal(logged("%d %u %x %c", -1, 4294967295U, 255U, 'c'), "-1 4294967295 ff c");
    assert_string_equal(logged("%lld %lu", (long long)INT64_MIN, 1UL), "-9223372036854775808 1");
    assert_string_equal(logged("%zu %jd %td", (size_t)5, (intmax_t)-6, (ptrdiff_t)-7), "5 -6 -7");
    assert_string_equal(logged("%.1f %g %5.2e", 1.25, 0.5, 12345.0), "1.2 0.5 1.23e+04");
    assert_string_equal(logged("[%4s|%-4s|%.2s]", "a", "b", "cdef"), "[   a|b   |cd]");
    assert_string_equal(logged("[%*d|%-*d|%04x]", 3, 1, 3, 2, 15U), "[  1|2  |000f]");
    assert_string_equal(logged("%hhu %hd", (unsigned char)200, (short)-3), "200 -3");
}

static void what_does_not_fit_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(logged("%s", "0123456789012345678901234567890123456789"), "0123456789012345678901234567890");
    assert_string_equal(logged("a=\"%s\"", "012345678901234567890123456\"x"), "a=\"012345678901234567890123456");
    assert_string_equal(logged("0123456789012345678901234567%d tail", 123456), "0123456789012345678901234567123");
}

static void a_value_cannot_forge_a_second_line(void **state)
{
    (void)state;
    log_set_sink(sink, LOG_LEVEL_DEBUG);
    log_info("x", "name=%s", "a\nerror forged\x7f");
    assert_string_equal(seen_text, "name=a error forged ");
    log_set_sink(NULL, LOG_LEVEL_INFO);
}

static void a_text_too_long_is_cut(void **state)
{
    char big[5000];

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    log_set_sink(sink, LOG_LEVEL_DEBUG);
    log_info("x", "v=%s", big);
    assert_true(strlen(seen_text) < 2048);
    log_set_sink(NULL, LOG_LEVEL_INFO);
}

/* What log_stderr writes, through a pipe. */
static void stderr_capture(const char *event, const char *text, char *line, size_t size)
{
    int ends[2];
    int saved = dup(STDERR_FILENO);
    ssize_t n;

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    log_stderr(LOG_LEVEL_ERROR, event, text);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    n = read(ends[0], line, size - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(close(saved), 0);
}

static void stderr_gets_one_line_with_time_and_level(void **state)
{
    char line[4096];
    char big[4000];

    (void)state;
    stderr_capture("lost", "a=1", line, sizeof(line));
    assert_non_null(strstr(line, "Z error lost a=1\n"));
    stderr_capture("lost", "", line, sizeof(line));
    assert_non_null(strstr(line, "Z error lost\n"));
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    stderr_capture("lost", big, line, sizeof(line));
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static void bus_failures_have_names_and_others_none(void **state)
{
    (void)state;
    assert_string_equal(failure_name(FAIL_INVALID_REQUEST), "INVALID_REQUEST");
    assert_string_equal(failure_name(FAIL_UNAVAILABLE), "UNAVAILABLE");
    assert_string_equal(failure_name(FAIL_TIMEOUT), "TIMEOUT");
    assert_string_equal(failure_name(FAIL_CANCELLED), "CANCELLED");
    assert_string_equal(failure_name(FAIL_INTERNAL), "INTERNAL");
    assert_string_equal(failure_name(FAIL_UNKNOWN_METHOD), "UNKNOWN_METHOD");
    assert_null(failure_name(0));
    assert_null(failure_name(FAIL_APPLICATION));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_remembers_where_it_was_born),
        cmocka_unit_test(folding_turns_only_outcomes_into_faults),
        cmocka_unit_test(fault_text_knows_errno_libzmq_and_libuv),
        cmocka_unit_test(span_trim_takes_white_space_from_both_ends_alone),
        cmocka_unit_test(what_is_written_durably_is_there),
        cmocka_unit_test(mem_new_is_zeroed_and_mem_text_terminated),
        cmocka_unit_test(mem_free_leaves_null_behind),
        cmocka_unit_test(mem_wipe_overwrites),
        cmocka_unit_test(the_clocks_agree_with_themselves),
        cmocka_unit_test(log_passes_the_text_to_the_sink),
        cmocka_unit_test(log_drops_what_is_below_the_lowest_level),
        cmocka_unit_test(a_value_stays_within_its_quotes),
        cmocka_unit_test(all_that_printf_can_write_is_written),
        cmocka_unit_test(what_does_not_fit_is_left_out),
        cmocka_unit_test(a_value_cannot_forge_a_second_line),
        cmocka_unit_test(a_text_too_long_is_cut),
        cmocka_unit_test(stderr_gets_one_line_with_time_and_level),
        cmocka_unit_test(bus_failures_have_names_and_others_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
