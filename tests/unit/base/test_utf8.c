#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/base/utf8.h"

static void accepts_what_unicode_defines(void **state)
{
    static const char *const good[] = { "",
                                        "plain",
                                        "é",
                                        "日本語 plain text of some length",
                                        "😀",
                                        "\xef\xbf\xbf",
                                        "\xf4\x8f\xbf\xbf",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80" };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(utf8_is_valid(span_from(good[i])));
    }
}

static void refuses_overlong_surrogate_cut_and_high(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xe2\x28\xa1",
        "\xf0\x28\x8c\x28",
        "12345678\xff",
        "1234567\xc3",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(utf8_is_valid(span_from(bad[i])));
    }
}

static void every_character_comes_back_as_it_was_put(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char bytes[UTF8_CHAR_MAX];
        size_t len = utf8_char_put(code, bytes);
        bool is_surrogate = code >= 0xd800 && code <= 0xdfff;

        assert_int_equal(utf8_char_len(bytes, len), is_surrogate ? 0 : len);
    }
}

static void a_cut_never_splits_a_character(void **state)
{
    struct span text = span_from("aé😀");

    (void)state;
    assert_int_equal(utf8_cut(text, 0).len, 0);
    assert_int_equal(utf8_cut(text, 1).len, 1);
    assert_int_equal(utf8_cut(text, 2).len, 1);
    assert_int_equal(utf8_cut(text, 3).len, 3);
    assert_int_equal(utf8_cut(text, 6).len, 3);
    assert_int_equal(utf8_cut(text, 7).len, 7);
    assert_int_equal(utf8_cut(text, 99).len, 7);
}

static void characters_are_counted_whole(void **state)
{
    struct span text = span_from("aé😀");

    (void)state;
    assert_int_equal(utf8_cut_chars(text, 0).len, 0);
    assert_int_equal(utf8_cut_chars(text, 1).len, 1);
    assert_int_equal(utf8_cut_chars(text, 2).len, 3);
    assert_int_equal(utf8_cut_chars(text, 3).len, 7);
    assert_int_equal(utf8_cut_chars(text, 4).len, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_unicode_defines),
        cmocka_unit_test(refuses_overlong_surrogate_cut_and_high),
        cmocka_unit_test(every_character_comes_back_as_it_was_put),
        cmocka_unit_test(a_cut_never_splits_a_character),
        cmocka_unit_test(characters_are_counted_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
