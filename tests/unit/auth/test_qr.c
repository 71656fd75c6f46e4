#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schema/base/qr.h"

/* What another encoder makes of the same text. */
static void draws_a_code_as_others_do(void **state)
{
    static const char *const rows[] = {
        "111111101000101111111", "100000101101001000001", "101110101111101011101", "101110101010101011101",
        "101110100111101011101", "100000101010101000001", "111111101010101111111", "000000000000000000000",
        "110011100000100101111", "101010001000101110100", "001100100110111011010", "100100011111100010011",
        "011011110001011000000", "000000001111100011110", "111111100101001010010", "100000101110011110000",
        "101110101100111110010", "101110100100111011011", "101110100010110011100", "100000101111100000000",
        "111111101011001000001",
    };
    static struct qr qr;

    (void)state;
    assert_int_equal(qr_encode(SPAN_LIT("openclaw"), &qr), 0);
    assert_int_equal(qr.size, 21);
    for (int y = 0; y < qr.size; y++) {
        for (int x = 0; x < qr.size; x++) {
            assert_int_equal(qr_is_dark(&qr, x, y), rows[y][x] == '1');
        }
    }
    assert_false(qr_is_dark(&qr, -1, 0) || qr_is_dark(&qr, 0, qr.size));
}

/* FNV-1a of the rows as text, again as another encoder has them: blocks, versions and masks of every kind. */
static void draws_long_codes_as_others_do(void **state)
{
    static const struct {
        size_t len;
        int size;
        uint64_t sum;
    } known[] = {
        { 154, 45, 0x384aeed45e46ebd },  { 230, 53, 0x4567790071a9886e },   { 271, 57, 0xe2d07989ecfc2045 },
        { 718, 89, 0xcb350e6a9045ffd9 }, { 1273, 117, 0xfb42e8a7af9d582d },
    };
    static struct qr qr;
    char text[QR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)('a' + i % 26);
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint64_t sum = 0xcbf29ce484222325U;

        assert_int_equal(qr_encode((struct span){ text, known[i].len }, &qr), 0);
        assert_int_equal(qr.size, known[i].size);
        for (int at = 0; at < qr.size * qr.size; at++) {
            sum = (sum ^ (uint64_t)(qr.modules[at] ? '1' : '0')) * 0x100000001b3U;
        }
        assert_true(sum == known[i].sum);
    }
}

static void refuses_what_does_not_fit(void **state)
{
    static struct qr qr;
    static char text[QR_TEXT_MAX + 1];

    (void)state;
    assert_int_equal(qr_encode((struct span){ text, sizeof(text) }, &qr), QR_E_TOO_LONG);
    assert_int_equal(qr_encode((struct span){ text, sizeof(text) - 1 }, &qr), 0);
}

static void draws_for_terminals_with_light_around(void **state)
{
    static struct qr qr;
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(qr_encode(SPAN_LIT("openclaw"), &qr), 0);
    assert_int_equal(qr_draw(&qr, &out), 0);
    /* 29 modules: 15 lines, the first two all light. */
    assert_memory_equal(out.data, "\xe2\x96\x88\xe2\x96\x88\xe2\x96\x88", 9);
    unsigned lines = 0;
    for (size_t i = 0; i < out.len; i++) {
        lines += out.data[i] == '\n';
    }
    assert_int_equal(lines, 15);
    text_buf_deinit(&out);
}

static void writes_a_png_that_is_one(void **state)
{
    static struct qr qr;
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(qr_encode(SPAN_LIT("openclaw"), &qr), 0);
    assert_int_equal(qr_png(&qr, 3, &out), 0);
    assert_memory_equal(out.data, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x57\0\0\0\x57\x01\0\0\0\0", 29);
    assert_memory_equal(out.data + out.len - 12, "\0\0\0\0IEND\xae\x42\x60\x82", 12);
    text_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_a_code_as_others_do), cmocka_unit_test(draws_long_codes_as_others_do),
        cmocka_unit_test(refuses_what_does_not_fit), cmocka_unit_test(draws_for_terminals_with_light_around),
        cmocka_unit_test(writes_a_png_that_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
