#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/json.h"
#include "tests/support/alloc_fail.h"

static void assert_text(const struct text_buf *text, const char *expected)
{
    if (text->len != strlen(expected) || memcmp(text->data, expected, text->len) != 0) {
        fail_msg("got %.*s, not %s", (int)text->len, text->data, expected);
    }
}

static void assert_writes(struct span value, const char *expected)
{
    struct text_buf text = { 0 };

    assert_int_equal(json_from_value(value, &text), 0);
    assert_text(&text, expected);
    text_buf_deinit(&text);
}

static void writes_every_kind(void **state)
{
    (void)state;
    assert_writes(SPAN_LIT("\xc0"), "null");
    assert_writes(SPAN_LIT("\xc3"), "true");
    assert_writes(SPAN_LIT("\xc2"), "false");
    assert_writes(SPAN_LIT("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), "-9223372036854775808");
    assert_writes(SPAN_LIT("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615");
    assert_writes(SPAN_LIT("\xca\x3f\xc0\x00\x00"), "1.5");
    assert_writes(SPAN_LIT("\xd4\x01\x02"), "null");
    assert_writes(SPAN_LIT("\x82\xa1"
                           "a\x90\xa0\x80"),
                  "{\"a\":[],\"\":{}}");
}

static void binary_becomes_base64(void **state)
{
    (void)state;
    assert_writes(SPAN_LIT("\xc4\x00"), "\"\"");
    assert_writes(SPAN_LIT("\xc4\x01"
                           "f"),
                  "\"Zg==\"");
    assert_writes(SPAN_LIT("\xc4\x02"
                           "fo"),
                  "\"Zm8=\"");
    assert_writes(SPAN_LIT("\xc4\x03"
                           "foo"),
                  "\"Zm9v\"");
    assert_writes(SPAN_LIT("\xc4\x06\xff\xfe\xfd\xfb\xef\xbe"), "\"//79++++\"");
}

static void escapes_what_must_be_escaped(void **state)
{
    static const char controls[] = "\x01\x08\x09\x0a\x0b\x0c\x0d\x1f\x7f\"\\/";
    struct text_buf text = { 0 };

    (void)state;
    assert_int_equal(json_from_text((struct span){ controls, sizeof(controls) - 1 }, &text), 0);
    assert_text(&text, "\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\\\"\\\\/\"");
    text_buf_deinit(&text);
    assert_int_equal(json_from_text((struct span){ "\0", 1 }, &text), 0);
    assert_int_equal(json_from_text((struct span){ NULL, 0 }, &text), 0);
    assert_text(&text, "\"\\u0000\"\"\"");
    text_buf_deinit(&text);
}

static void a_text_of_escapes_alone_has_room(void **state)
{
    char controls[3000];
    struct text_buf text = { 0 };

    (void)state;
    memset(controls, 1, sizeof(controls));
    assert_int_equal(json_from_text((struct span){ controls, sizeof(controls) }, &text), 0);
    assert_int_equal(text.len, 6 * sizeof(controls) + 2);
    text_buf_deinit(&text);
}

static void malformed_text_is_replaced(void **state)
{
    (void)state;
    assert_writes(SPAN_LIT("\xa3"
                           "a\xff"
                           "b"),
                  "\"a\xef\xbf\xbd"
                  "b\"");
    assert_writes(SPAN_LIT("\xa2\xc3\xa9"), "\"é\"");
    assert_writes(SPAN_LIT("\xa1\xc3"), "\"\xef\xbf\xbd\"");
}

static double reread(double number)
{
    struct text_buf text = { 0 };
    struct pack pack;
    double again;

    pack_init(&pack, 0);
    pack_f64(&pack, number);
    assert_int_equal(json_from_value(pack_span(&pack), &text), 0);
    assert_int_equal(text_buf_add(&text, SPAN_LIT("\0")), 0);
    again = strtod(text.data, NULL);
    text_buf_deinit(&text);
    pack_deinit(&pack);
    return again;
}

static void assert_f64(double number, const char *expected)
{
    struct pack pack;

    pack_init(&pack, 0);
    pack_f64(&pack, number);
    assert_writes(pack_span(&pack), expected);
    pack_deinit(&pack);
}

static void doubles_are_written_short_and_exact(void **state)
{
    (void)state;
    assert_f64(0.0, "0");
    assert_f64(0.1, "0.1");
    assert_f64(-12.25, "-12.25");
    assert_f64(100.0, "100");
    assert_f64(0.001, "0.001");
    assert_f64(1.0 / 3.0, "0.3333333333333333");
    assert_f64(1e300, "1e+300");
    assert_f64(5e-324, "4.94065645841247e-324");
    assert_f64(DBL_MAX, "1.7976931348623157e+308");
    assert_f64((double)NAN, "null");
    assert_f64(HUGE_VAL, "null");
    assert_f64(-HUGE_VAL, "null");
}

static void random_doubles_read_back_the_same(void **state)
{
    uint64_t bits = 88172645463325252U;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double number;

        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&number, &bits, sizeof(number));
        if (isfinite(number)) {
            assert_true(reread(number) == number);
        }
        number = (double)(bits % 100000000) / (double)(1 + bits % 1000);
        assert_true(reread(number) == number);
    }
}

static void pretty_text_is_indented(void **state)
{
    struct text_buf text = { 0 };

    (void)state;
    assert_int_equal(json_from_value_pretty(SPAN_LIT("\x82\xa1"
                                                     "a\x92\x01\x81\xa1"
                                                     "b\x02\xa1"
                                                     "c\x90"),
                                            &text),
                     0);
    assert_text(&text, "{\n  \"a\": [\n    1,\n    {\n      \"b\": 2\n    }\n  ],\n  \"c\": []\n}");
    text_buf_deinit(&text);
}

static void bytes_that_are_no_value_leave_no_trace(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        { "", 0 }, { "\x92\x01", 2 }, { "\x81\x01\x02", 3 }, { "\x81\xa1k", 3 }, { "\xc1", 1 }, { "\x01\x01", 2 },
    };
    struct text_buf text = { 0 };
    char deep[300];

    (void)state;
    assert_int_equal(text_buf_add(&text, SPAN_LIT("kept")), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(json_from_value((struct span){ bad[i].bytes, bad[i].len }, &text), -EPROTO);
        assert_text(&text, "kept");
    }
    memset(deep, '\x91', sizeof(deep));
    deep[sizeof(deep) - 1] = '\x01';
    assert_int_equal(json_from_value((struct span){ deep, sizeof(deep) }, &text), -EPROTO);
    text_buf_deinit(&text);
}

static void every_failed_allocation_is_told(void **state)
{
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    for (unsigned i = 0; i < 64; i++) {
        pack_kv_text(&pack, "key", "a value with\n an escape");
        pack_kv_f64(&pack, "number", 1.0 / 3.0);
        pack_kv_bool(&pack, "bool", true);
    }
    pack_map_end(&pack);
    assert_int_equal(pack_error(&pack), 0);
    for (unsigned nth = 1;; nth++) {
        struct text_buf text = { 0 };
        bool failed;
        int r;

        alloc_fail_at(nth);
        r = json_from_value_pretty(pack_span(&pack), &text);
        failed = alloc_fail_happened();
        alloc_fail_at(0);
        assert_int_equal(r, failed ? -ENOMEM : 0);
        assert_true(!failed || text.len == 0);
        text_buf_deinit(&text);
        if (!failed) {
            break;
        }
    }
    pack_deinit(&pack);
}

static void a_text_buf_keeps_its_contents_when_it_cannot_grow(void **state)
{
    struct text_buf text = { 0 };

    (void)state;
    assert_int_equal(text_buf_add(&text, SPAN_LIT("kept")), 0);
    alloc_fail_at(1);
    assert_int_equal(text_buf_reserve(&text, 100000), -ENOMEM);
    assert_int_equal(json_from_text((struct span){ text.data, 4 }, &text), 0);
    alloc_fail_at(0);
    assert_text(&text, "kept\"kept\"");
    assert_int_equal(text_buf_reserve(&text, SIZE_MAX - 2), -ENOMEM);
    text_buf_deinit(&text);
    assert_null(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_every_kind),
        cmocka_unit_test(binary_becomes_base64),
        cmocka_unit_test(escapes_what_must_be_escaped),
        cmocka_unit_test(a_text_of_escapes_alone_has_room),
        cmocka_unit_test(malformed_text_is_replaced),
        cmocka_unit_test(doubles_are_written_short_and_exact),
        cmocka_unit_test(random_doubles_read_back_the_same),
        cmocka_unit_test(pretty_text_is_indented),
        cmocka_unit_test(bytes_that_are_no_value_leave_no_trace),
        cmocka_unit_test(every_failed_allocation_is_told),
        cmocka_unit_test(a_text_buf_keeps_its_contents_when_it_cannot_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
