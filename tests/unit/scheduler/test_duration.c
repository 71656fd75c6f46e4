#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "schema/base/duration.h"

#define MINUTE 60000

static void reads_what_people_write(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        { "30m", 1800000 },
        { "30", 1800000 },
        { " 1H ", 3600000 },
        { "1h30m", 5400000 },
        { "250ms", 250 },
        { "1.5h", 5400000 },
        { "0m", 0 },
        { "0", 0 },
        { "1d", 86400000 },
        { "1h0.5m", 3630000 },
        { "0.0004s", 0 },
        { "1.0005s", 1001 },
        { "36500d", DURATION_MAX_MS },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -1;

        assert_true(duration_parse(span_from(cases[i].text), MINUTE, &ms));
        assert_int_equal(ms, cases[i].ms);
    }
}

static void refuses_everything_else(void **state)
{
    static const char *const cases[] = { "",
                                         " ",
                                         "m",
                                         "x",
                                         "-5m",
                                         "1h 30m",
                                         "5w",
                                         "1h30",
                                         "1..",
                                         "1.5.h",
                                         "1.h",
                                         ".5h",
                                         "9999999999999999m",
                                         "36501d",
                                         "1e3m",
                                         "5m.",
                                         "1,5h",
                                         "5mm\x01" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms;

        assert_false(duration_parse(span_from(cases[i]), MINUTE, &ms));
    }
}

static void times_of_day_are_of_two_digits_each(void **state)
{
    static const char *const bad[] = { "", "8:00", "08:60", "24:00", "25:00", "0800", "08:00:00", "ab:cd", "-1:00" };
    int minutes = -1;

    (void)state;
    assert_true(duration_parse_clock(SPAN_LIT("00:00"), false, &minutes));
    assert_int_equal(minutes, 0);
    assert_true(duration_parse_clock(SPAN_LIT("23:59"), false, &minutes));
    assert_int_equal(minutes, 1439);
    assert_true(duration_parse_clock(SPAN_LIT("24:00"), true, &minutes));
    assert_int_equal(minutes, 1440);
    assert_false(duration_parse_clock(SPAN_LIT("24:01"), true, &minutes));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(duration_parse_clock(span_from(bad[i]), false, &minutes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_people_write),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(times_of_day_are_of_two_digits_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
