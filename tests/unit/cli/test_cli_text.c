/* How numbers, addresses, log lines and near misses read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/nearest.h"
#include "bus/value.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/log_line.h"
#include "edge/cli/log_tail.h"
#include "edge/cli/ws_url.h"

static void spans_of_time_are_short(void **state)
{
    char out[CLI_FORMAT_LEN];

    (void)state;
    assert_string_equal(cli_format_span(999, out), "999 ms");
    assert_string_equal(cli_format_span(59999, out), "59 s");
    assert_string_equal(cli_format_span(3599999, out), "59 min");
    assert_string_equal(cli_format_span(47 * 3600000LL, out), "47 h");
    assert_string_equal(cli_format_span(INT64_MAX, out), "106751991167 d");
    assert_string_equal(cli_format_age(-1, out), "never");
    assert_string_equal(cli_format_age(0, out), "just now");
    assert_string_equal(cli_format_age(61000, out), "1 min ago");
}

static void bytes_carry_a_fitting_unit(void **state)
{
    char out[CLI_FORMAT_LEN];

    (void)state;
    assert_string_equal(cli_format_bytes(999, out), "999 B");
    assert_string_equal(cli_format_bytes(1500, out), "1.5 kB");
    assert_string_equal(cli_format_bytes(43000000, out), "43 MB");
    assert_string_equal(cli_format_bytes(UINT64_MAX, out), "18 EB");
}

static void edits_are_counted_once(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance("status", "status"), 0);
    assert_int_equal(nearest_distance("stauts", "status"), 1);
    assert_int_equal(nearest_distance("", "abc"), 3);
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
}

static void what_is_too_far_is_not_suggested(void **state)
{
    struct nearest nearest = { .typed = "doctor" };

    (void)state;
    nearest_offer(&nearest, "gateway");
    nearest_offer(&nearest, "logs");
    assert_null(nearest.best);
}

static void addresses_are_taken_apart(void **state)
{
    struct ws_url url;
    const char *why;

    (void)state;
    assert_int_equal(ws_url_parse("ws://127.0.0.1:18789", &url, &why), 0);
    assert_string_equal(url.host, "127.0.0.1");
    assert_int_equal(url.port, 18789);
    assert_string_equal(url.path, "/");
    assert_true(url.is_loopback);
    assert_int_equal(ws_url_parse("WSS://Example.org/gw?x=1#y", &url, &why), 0);
    assert_true(url.is_tls);
    assert_false(url.is_loopback);
    assert_int_equal(url.port, 443);
    assert_string_equal(url.path, "/gw?x=1#y");
    assert_int_equal(ws_url_parse("ws://[::1]:9/", &url, &why), 0);
    assert_string_equal(url.host, "::1");
    assert_int_equal(url.port, 9);
    assert_true(url.is_loopback);
}

static void a_name_that_only_begins_like_loopback_is_another_machine(void **state)
{
    struct ws_url url;
    const char *why;

    (void)state;
    assert_int_equal(ws_url_parse("ws://127.evil.example/", &url, &why), 0);
    assert_false(url.is_loopback);
    assert_int_equal(ws_url_parse("ws://localhost.evil.example/", &url, &why), 0);
    assert_false(url.is_loopback);
}

static void refuses_addresses_that_are_none(void **state)
{
    static const char *const bad[] = {
        "",          "127.0.0.1:1",      "ftp://h",    "ws://",     "ws://:1",       "ws://h:0",
        "ws://h:1x", "ws://h:65536",     "ws://u:p@h", "ws://[::1", "ws://[::1]x:1", "ws://h/a b",
        "ws://h:-1", "ws://h:123456789",
    };
    struct ws_url url;
    const char *why;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        why = NULL;
        if (ws_url_parse(bad[i], &url, &why) != WS_URL_E_REFUSED || !why) {
            fail_msg("'%s' was accepted", bad[i]);
        }
    }
}

static void a_log_line_gives_up_its_parts(void **state)
{
    static const char raw[] = "{\"0\":\"{\\\"subsystem\\\":\\\"gateway/ws\\\"}\",\"_meta\":{\"logLevelName\":\"WARN\"},"
                              "\"time\":\"2026-11-22T15:52:19.128+00:00\",\"message\":\"hello\"}";
    struct log_line line;
    struct pack out;

    (void)state;
    pack_init(&out, 0);
    log_line_init(&line, span_from(raw));
    assert_true(line.is_parsed);
    assert_true(span_is_text(line.subsystem, "gateway/ws"));
    assert_true(span_is_text(line.message, "hello"));
    log_line_pack(&line, &out);
    assert_int_equal(pack_error(&out), 0);
    assert_true(span_is_text(value_str(value_get(pack_span(&out), "level"), (struct span){ 0 }), "warn"));
    assert_true(span_is_text(value_str(value_get(pack_span(&out), "type"), (struct span){ 0 }), "log"));
    log_line_deinit(&line);
    pack_deinit(&out);
}

static void a_line_that_is_no_json_stays_as_it_is(void **state)
{
    static const char *const odd[] = { "", "plain text", "{\"cut\":", "[1]", "\xff\xfe" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        struct log_line line;
        struct pack out;

        pack_init(&out, 0);
        log_line_init(&line, span_from(odd[i]));
        assert_false(line.is_parsed);
        log_line_pack(&line, &out);
        assert_true(span_is_text(value_str(value_get(pack_span(&out), "raw"), (struct span){ "x", 1 }), odd[i]));
        log_line_deinit(&line);
        pack_deinit(&out);
    }
}

static void times_turn_into_the_local_zone(void **state)
{
    char out[64];

    (void)state;
    assert_int_equal(setenv("TZ", "XYZ-02", 1), 0);
    tzset();
    log_line_local_time(span_from("2026-11-22T23:30:00.128+00:00"), out, sizeof(out));
    assert_string_equal(out, "2026-11-23T01:30:00.128+0200");
    log_line_local_time(span_from("2026-11-22T23:30:00-01:30"), out, sizeof(out));
    assert_string_equal(out, "2026-11-23T03:00:00+0200");
    log_line_local_time(span_from("yesterday"), out, sizeof(out));
    assert_string_equal(out, "yesterday");
}

struct lines {
    char text[256];
};

static void on_line(void *arg, struct span line)
{
    struct lines *lines = arg;

    (void)strncat(lines->text, line.ptr, line.len);
    (void)strcat(lines->text, "|");
}

static void the_end_of_a_file_is_whole_lines(void **state)
{
    static const struct {
        const char *text;
        uint64_t lines_max;
        uint64_t bytes_max;
        const char *expected;
    } rows[] = {
        { "one\ntwo\nthree\n", 2, 100, "two|three|" },
        { "one\ntwo\nthree\n", 9, 100, "one|two|three|" },
        { "one\ntwo\nthree\n", 9, 8, "three|" },
        { "one\ntwo", 1, 100, "two|" },
        { "", 5, 100, "" },
        { "\n\n", 5, 100, "||" },
    };
    char path[] = "/tmp/openclaw-tail-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lines lines = { "" };
        uint64_t size = 0;

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, rows[i].text, strlen(rows[i].text), 0), strlen(rows[i].text));
        assert_int_equal(log_tail_read(path, rows[i].lines_max, rows[i].bytes_max, on_line, &lines, &size), 0);
        assert_string_equal(lines.text, rows[i].expected);
        assert_int_equal(size, strlen(rows[i].text));
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(log_tail_read(path, 1, 1, on_line, NULL, NULL), LOG_TAIL_E_UNREADABLE);
    assert_int_equal(log_tail_read("/tmp", 1, 1, on_line, NULL, NULL), LOG_TAIL_E_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_of_time_are_short),
        cmocka_unit_test(bytes_carry_a_fitting_unit),
        cmocka_unit_test(edits_are_counted_once),
        cmocka_unit_test(what_is_too_far_is_not_suggested),
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(a_name_that_only_begins_like_loopback_is_another_machine),
        cmocka_unit_test(refuses_addresses_that_are_none),
        cmocka_unit_test(a_log_line_gives_up_its_parts),
        cmocka_unit_test(a_line_that_is_no_json_stays_as_it_is),
        cmocka_unit_test(times_turn_into_the_local_zone),
        cmocka_unit_test(the_end_of_a_file_is_whole_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
