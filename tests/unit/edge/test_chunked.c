#include "edge/http/chunked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Feeds `text` in pieces of `step` bytes; returns the last outcome and collects the body. */
static int feed(struct span text, size_t step, char *body, size_t *ret_len, size_t *ret_rest)
{
    struct chunked chunked = { 0 };
    int r = CHUNKED_E_MORE;

    *ret_len = 0;
    *ret_rest = 0;
    for (size_t at = 0; at < text.len && r == CHUNKED_E_MORE; at += step) {
        struct span input = { text.ptr + at, text.len - at < step ? text.len - at : step };
        struct span data;

        while ((r = chunked_read(&chunked, &input, &data)) == CHUNKED_E_DATA) {
            memcpy(body + *ret_len, data.ptr, data.len);
            *ret_len += data.len;
        }
        *ret_rest = r == CHUNKED_E_END ? text.len - at - step * (step < text.len - at) + input.len : 0;
    }
    return r;
}

static void takes_the_coding_off_however_it_is_cut(void **state)
{
    struct span text =
        SPAN_LIT("5\r\nhello\r\n1;ext=\"v\"\r\n \r\n00005\r\nworld\r\n0\r\nTrailer: x\r\nX-Empty:\r\nA:b:\tc\r\n\r\n");
    char body[64];
    size_t len;
    size_t rest;

    (void)state;
    for (size_t step = 1; step <= text.len; step++) {
        assert_int_equal(feed(text, step, body, &len, &rest), CHUNKED_E_END);
        assert_int_equal(len, 11);
        assert_memory_equal(body, "hello world", 11);
    }
}

static void leaves_what_follows_the_body(void **state)
{
    struct span input = SPAN_LIT("1\r\na\r\n0\r\n\r\nGET");
    struct chunked chunked = { 0 };
    struct span data;

    (void)state;
    assert_int_equal(chunked_read(&chunked, &input, &data), CHUNKED_E_DATA);
    assert_int_equal(chunked_read(&chunked, &input, &data), CHUNKED_E_END);
    assert_true(span_is(input, SPAN_LIT("GET")));
    assert_int_equal(chunked_read(&chunked, &input, &data), CHUNKED_E_END);
}

static void asks_for_more(void **state)
{
    char body[64];
    size_t len;
    size_t rest;

    (void)state;
    assert_int_equal(feed(SPAN_LIT("5\r\nhel"), 100, body, &len, &rest), CHUNKED_E_MORE);
    assert_int_equal(len, 3);
}

static void refuses_what_is_not_the_coding(void **state)
{
    static const struct span cases[] = {
        SPAN_LIT("\r\n"),
        SPAN_LIT("g\r\n"),
        SPAN_LIT("-1\r\n"),
        SPAN_LIT("1\nab"),
        SPAN_LIT("1\r\rab"),
        SPAN_LIT("1\r\nab\r\n"),
        SPAN_LIT("1\r\na\n\r"),
        SPAN_LIT("1\r\na\r\r"),
        SPAN_LIT("0\r\nTrailer\n"),
        SPAN_LIT("0\r\nTrailer\r\n\r\n"),
        SPAN_LIT("0\r\nA: b\r\nTrailer\r\n\r\n"),
        SPAN_LIT("0\r\n: x\r\n\r\n"),
        SPAN_LIT("0\r\nTrailer : x\r\n\r\n"),
        SPAN_LIT("0\r\nA: b\r\n folded: c\r\n\r\n"),
        SPAN_LIT("0\r\nA: b\x01\r\n\r\n"),
        SPAN_LIT("0\r\nA: b\n\r\n"),
        SPAN_LIT("0\r\n\rx"),
        SPAN_LIT("1234567890abcdef0\r\n"),
        SPAN_LIT("1;a\n"),
    };
    char body[64];
    size_t len;
    size_t rest;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (feed(cases[i], 100, body, &len, &rest) != CHUNKED_E_BAD) {
            fail_msg("case %zu", i);
        }
    }
}

static void bounds_the_lines_that_carry_no_body(void **state)
{
    static char text[CHUNKED_TRAILER_MAX + 64];
    char body[8];
    size_t len;
    size_t rest;

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "1;", 2);
    assert_int_equal(feed((struct span){ text, sizeof(text) }, sizeof(text), body, &len, &rest), CHUNKED_E_BAD);
    memcpy(text, "0\r\nx:", 5);
    assert_int_equal(feed((struct span){ text, sizeof(text) }, sizeof(text), body, &len, &rest), CHUNKED_E_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_coding_off_however_it_is_cut),
        cmocka_unit_test(leaves_what_follows_the_body),
        cmocka_unit_test(asks_for_more),
        cmocka_unit_test(refuses_what_is_not_the_coding),
        cmocka_unit_test(bounds_the_lines_that_carry_no_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
