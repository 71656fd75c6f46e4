#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/tap_filter.h"

static const struct tap_filter_subject call = {
    .texts = {
        [TAP_FILTER_TO] = { "agent/main", 10 },
        [TAP_FILTER_FROM] = { "edge/0", 6 },
        [TAP_FILTER_KIND] = { "call", 4 },
        [TAP_FILTER_NAME] = { "chat.send", 9 },
        [TAP_FILTER_METHOD] = { "chat.send", 9 },
        [TAP_FILTER_TRACE] = { "00ab", 4 },
    },
    .bytes = 321,
};

static bool fits(const char *text, const struct tap_filter_subject *subject)
{
    struct tap_filter filter;
    struct tap_filter_error error;

    if (tap_filter_parse(span_from(text), &filter, &error)) {
        fail_msg("%s: column %u: %s", text, error.column, error.text);
    }
    return tap_filter_fits(&filter, subject);
}

static void compares_every_kind_of_field(void **state)
{
    static const char *const yes[] = {
        "to == agent/main",
        "to=='agent/main'",
        "from == \"edge/0\"",
        "kind == call",
        "name ~ chat.*",
        "method ~ *.send",
        "trace ~ 00??",
        "bytes == 321",
        "size > 320 && size < 1k",
        "trace == 00AB",
        "trace ~ '00A?'",
        "bytes > 320",
        "bytes >= 321",
        "bytes < 322",
        "bytes <= 321",
        "bytes != 1",
        "to != agent/other",
        "!(to == agent/x)",
        "!!(kind==call)",
        "kind==call && bytes>1",
        "kind==cast || bytes>1",
        "(kind==fail)||(bytes>1e2)",
        "to ~ *",
        "to ~ 'agent/*'",
        "to ~ a*t/m*n",
        "to ~ '*main*'",
        "to !~ agent/x*",
        "topic !~ *",
        "address == edge/0",
        "address ~ agent/*",
        "address !~ router*",
        "address != router",
        "bytes < 1k && bytes < 1KiB && bytes > 0.3kB",
        "ms != 5s",
        "undelivered != x",
    };
    static const char *const no[] = {
        "to == agent",
        "to ~ agent",
        "kind != call",
        "bytes > 321",
        "bytes < 321",
        "bytes != 321",
        "name ~ *.sen",
        "!(to ~ agent*)",
        "kind==call && bytes>1000",
        "kind==reply || bytes==0",
        "to ~ ?gent",
        "to == ''",
        "to !~ agent/*",
        "address != edge/0",
        "address !~ *",
        "principal == x",
        "undelivered ~ *",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (!fits(yes[i], &call)) {
            fail_msg("should fit: %s", yes[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        if (fits(no[i], &call)) {
            fail_msg("should not fit: %s", no[i]);
        }
    }
}

static void and_binds_tighter_than_or(void **state)
{
    (void)state;
    assert_true(fits("kind == call || kind == cast && bytes > 1000", &call));
    assert_false(fits("(kind == call || kind == cast) && bytes > 1000", &call));
}

static void an_absent_field_fits_only_inequality(void **state)
{
    (void)state;
    assert_false(fits("topic == chat", &call));
    assert_false(fits("topic ~ *", &call));
    assert_true(fits("topic != chat", &call));
    assert_false(fits("latency > 0", &call));
    assert_true(fits("ms != 5", &call));
    assert_false(fits("session == main", &call));
}

static void a_zeroed_filter_fits_everything(void **state)
{
    struct tap_filter filter = { 0 };

    (void)state;
    assert_true(tap_filter_fits(&filter, &call));
}

static void says_which_fields_it_asks_for(void **state)
{
    struct tap_filter filter;
    struct tap_filter_error error;

    (void)state;
    assert_int_equal(tap_filter_parse(SPAN_LIT("session == a || ms > 3"), &filter, &error), 0);
    assert_true(tap_filter_asks(&filter, TAP_FILTER_SESSION));
    assert_true(tap_filter_asks(&filter, TAP_FILTER_LATENCY_MS));
    assert_false(tap_filter_asks(&filter, TAP_FILTER_TO));
}

static void unescapes_quoted_values(void **state)
{
    struct tap_filter_subject subject = { .texts = { [TAP_FILTER_TO] = { "a\"b\\", 4 } } };

    (void)state;
    assert_true(fits("to == \"a\\\"b\\\\\"", &subject));
}

static void numbers_are_decimal(void **state)
{
    static const char *const fine[] = { "ms < 1000",   "ms < 1e3",  "ms < +1000.",  "ms < 1E+3ms", "ms > -5",
                                        "ms < 1000.5", "ms < 1.5s", "ms < 0010000", "ms > .5",     "ms < 1e6us" };
    const struct tap_filter_subject subject = { .has_latency = true, .latency_ms = 999 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        assert_true(fits(fine[i], &subject));
    }
}

static void names_the_column_of_a_mistake(void **state)
{
    static const struct {
        const char *text;
        unsigned column;
    } bad[] = {
        { "", 1 },
        { "  ", 3 },
        { "too == x", 1 },
        { "to = x", 4 },
        { "to ==", 6 },
        { "to == x y", 9 },
        { "(to == x", 9 },
        { "to == 'x", 7 },
        { "bytes == x", 10 },
        { "bytes ~ 3", 7 },
        { "to < x", 4 },
        { "to == x &&", 11 },
        { "to == x & y", 9 },
        { "!", 2 },
        { "to == x)", 8 },
        { "bytes > nan", 9 },
        { "bytes > 1x", 10 },
        { "ms > 3k", 7 },
        { "bytes > 3ms", 10 },
        { "kind == calls", 9 },
        { "to == x and from == y", 9 },
        { "to == x || || y", 12 },
        { "bytes > inf", 9 },
        { "bytes > 0x10", 10 },
        { "ms > 0x1p3", 7 },
        { "bytes > -", 9 },
        { "bytes > .", 9 },
        { "bytes > .e5", 9 },
        { "ms > 1e", 7 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct tap_filter filter;
        struct tap_filter_error error;

        assert_int_equal(tap_filter_parse(span_from(bad[i].text), &filter, &error), TAP_FILTER_E_SYNTAX);
        if (error.column != bad[i].column || !error.text[0]) {
            fail_msg("%s: column %u, not %u: %s", bad[i].text, error.column, bad[i].column, error.text);
        }
    }
}

static void refuses_what_is_too_long_too_deep_or_too_much(void **state)
{
    struct tap_filter filter;
    struct tap_filter_error error;
    char text[TAP_FILTER_TEXT_MAX + 1];

    (void)state;
    memset(text, '(', sizeof(text));
    assert_int_equal(tap_filter_parse((struct span){ text, sizeof(text) }, &filter, &error), TAP_FILTER_E_SYNTAX);
    assert_int_equal(tap_filter_parse((struct span){ text, 100 }, &filter, &error), TAP_FILTER_E_SYNTAX);
    assert_non_null(strstr(error.text, "nested"));
    memset(text, '!', sizeof(text));
    assert_int_equal(tap_filter_parse((struct span){ text, 100 }, &filter, &error), TAP_FILTER_E_SYNTAX);
    text[0] = '\0';
    for (unsigned i = 0; i < 80; i++) {
        strcat(text, i ? "||ms<1" : "ms<1");
    }
    assert_int_equal(tap_filter_parse(span_from(text), &filter, &error), TAP_FILTER_E_SYNTAX);
    assert_non_null(strstr(error.text, "parts"));
}

static void says_what_to_write_instead(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        { "to = x", "write ==" },
        { "to == x & from == y", "write &&" },
        { "to == x or from == y", "write || instead of" },
        { "to == x)", "no \"(\"" },
        { "kind == failure", "fail, cast" },
        { "length > 3", "bytes" },
        { "to == two words", "quotes" },
        { "ms > 3min", "us, ms, s" },
        { "to >= x", "no order" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct tap_filter filter;
        struct tap_filter_error error;

        assert_int_equal(tap_filter_parse(span_from(bad[i].text), &filter, &error), TAP_FILTER_E_SYNTAX);
        if (!strstr(error.text, bad[i].says)) {
            fail_msg("%s: %s", bad[i].text, error.text);
        }
    }
}

static enum tap_filter_verdict verdict(const char *text, struct tap_filter_subject subject)
{
    struct tap_filter filter;
    struct tap_filter_error error;

    subject.unknown = 1U << TAP_FILTER_LATENCY_MS | 1U << TAP_FILTER_FROM;
    assert_int_equal(tap_filter_parse(span_from(text), &filter, &error), 0);
    return tap_filter_verdict(&filter, &subject);
}

static void what_is_unknown_decides_only_where_it_matters(void **state)
{
    (void)state;
    assert_int_equal(verdict("ms > 3", call), TAP_FILTER_MAYBE);
    assert_int_equal(verdict("!(ms > 3)", call), TAP_FILTER_MAYBE);
    assert_int_equal(verdict("from ~ *", call), TAP_FILTER_MAYBE);
    assert_int_equal(verdict("kind == call && ms > 3", call), TAP_FILTER_MAYBE);
    assert_int_equal(verdict("kind == cast && ms > 3", call), TAP_FILTER_NO);
    assert_int_equal(verdict("ms > 3 && kind == cast", call), TAP_FILTER_NO);
    assert_int_equal(verdict("kind == call || ms > 3", call), TAP_FILTER_YES);
    assert_int_equal(verdict("ms > 3 || kind == call", call), TAP_FILTER_YES);
    assert_int_equal(verdict("ms > 3 || kind == cast", call), TAP_FILTER_MAYBE);
    assert_int_equal(verdict("address == agent/main", call), TAP_FILTER_YES);
    assert_int_equal(verdict("address == edge/0", call), TAP_FILTER_MAYBE);
}

static void takes_any_bytes(void **state)
{
    (void)state;
    srand(7);
    for (unsigned i = 0; i < 20000; i++) {
        static const char *const words[] = { "to", "bytes", "ms",  "==", "~", "<=", "&&", "||",   "!",
                                             "(",  ")",     "'x'", "5",  "*", "\"", " ",  "\xff", "session" };
        char text[256] = "";
        struct tap_filter filter;
        struct tap_filter_error error;

        for (int n = rand() % 16; n > 0; n--) {
            strcat(text, words[(size_t)rand() % ARRAY_LEN(words)]);
        }
        if (tap_filter_parse(span_from(text), &filter, &error) == 0) {
            (void)tap_filter_fits(&filter, &call);
        } else {
            assert_in_range(error.column, 1, strlen(text) + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_every_kind_of_field),
        cmocka_unit_test(and_binds_tighter_than_or),
        cmocka_unit_test(an_absent_field_fits_only_inequality),
        cmocka_unit_test(a_zeroed_filter_fits_everything),
        cmocka_unit_test(says_which_fields_it_asks_for),
        cmocka_unit_test(unescapes_quoted_values),
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(names_the_column_of_a_mistake),
        cmocka_unit_test(refuses_what_is_too_long_too_deep_or_too_much),
        cmocka_unit_test(says_what_to_write_instead),
        cmocka_unit_test(what_is_unknown_decides_only_where_it_matters),
        cmocka_unit_test(takes_any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
