/* Which part of a file is asked for, RFC 9110 §14. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "edge/http/range.h"

#define NOTHING ((struct span){ NULL, 0 })

static void is(const char *field, uint64_t size, const char *expected)
{
    struct range range = range_read(span_from(field), NOTHING, size, "\"a\"");
    char text[64] = "whole";

    if (range.kind == RANGE_PART) {
        (void)snprintf(text, sizeof(text), "%llu+%llu", (unsigned long long)range.first, (unsigned long long)range.len);
    } else if (range.kind == RANGE_BEYOND) {
        (void)snprintf(text, sizeof(text), "beyond");
    }
    assert_string_equal(text, expected);
}

static void one_range_is_a_part(void **state)
{
    (void)state;
    is("bytes=0-0", 10, "0+1");
    is("bytes=0-9", 10, "0+10");
    is("bytes=2-4", 10, "2+3");
    is("bytes=2-", 10, "2+8");
    is("bytes=9-", 10, "9+1");
    is("bytes=5-100", 10, "5+5");
    is("bytes=-1", 10, "9+1");
    is("bytes=-10", 10, "0+10");
    is("bytes=-11", 10, "0+10");
    is("Bytes= 1-2 ", 10, "1+2");
    is("bytes=0-18446744073709551615", 10, "0+10");
    is("bytes=0-99999999999999999999999", 10, "0+10");
    is("bytes=-99999999999999999999999", 10, "0+10");
    is("bytes=18446744073709551614-18446744073709551614", UINT64_MAX, "18446744073709551614+1");
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    is("bytes=10-", 10, "beyond");
    is("bytes=10-10", 10, "beyond");
    is("bytes=99999999999999999999999-", 10, "beyond");
    is("bytes=-0", 10, "beyond");
    is("bytes=0-", 0, "beyond");
    is("bytes=-5", 0, "whole"); /* it can be satisfied, and no Content-Range could say so */
}

static void anything_else_is_as_if_nothing_were_said(void **state)
{
    static const char *const fields[] = { "",          "bytes",      "bytes=",     "bytes=-",      "bytes=a-",
                                          "bytes=1",   "bytes=4-2",  "bytes=1-2,", "bytes=0-1,3-", "bytes=1-a",
                                          "bytes=--1", "bytes=1 -2", "lines=0-1",  "0-1",          "bytes 0-1",
                                          "bytes=+1-", "bytes=-1-",  "bytes=1-2-3" };

    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        is(fields[i], 10, "whole");
    }
}

static enum range_kind kind_if(const char *if_range, const char *etag)
{
    return range_read(SPAN_LIT("bytes=0-1"), span_from(if_range), 10, etag).kind;
}

static void a_part_of_another_version_is_not_given(void **state)
{
    (void)state;
    assert_int_equal(kind_if("\"a\"", "\"a\""), RANGE_PART);
    assert_int_equal(kind_if(" \"a\" ", "\"a\""), RANGE_PART);
    assert_int_equal(kind_if("\"b\"", "\"a\""), RANGE_WHOLE);
    assert_int_equal(kind_if("W/\"a\"", "\"a\""), RANGE_WHOLE);
    assert_int_equal(kind_if("\"a\", \"b\"", "\"a\""), RANGE_WHOLE);
    assert_int_equal(kind_if("Sun, 22 Nov 2026 16:18:53 GMT", "\"a\""), RANGE_WHOLE);
    assert_int_equal(kind_if("\"a\"", ""), RANGE_WHOLE);
    assert_int_equal(kind_if("", ""), RANGE_PART);
}

static void it_is_told_which_part_that_is(void **state)
{
    char field[RANGE_FIELD_MAX];
    struct range range = { .kind = RANGE_PART, .first = 2, .len = 3 };

    (void)state;
    assert_true(span_is_text(range_field(&range, 10, field), "Content-Range: bytes 2-4/10\r\n"));
    range.kind = RANGE_BEYOND;
    assert_true(span_is_text(range_field(&range, 10, field), "Content-Range: bytes */10\r\n"));
    range.kind = RANGE_WHOLE;
    assert_int_equal(range_field(&range, 10, field).len, 0);
    range = (struct range){ .kind = RANGE_PART, .first = UINT64_MAX - 1, .len = 1 };
    assert_true(span_is_text(range_field(&range, UINT64_MAX, field), "Content-Range: bytes 18446744073709551614-"
                                                                     "18446744073709551614/18446744073709551615\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_range_is_a_part),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(anything_else_is_as_if_nothing_were_said),
        cmocka_unit_test(a_part_of_another_version_is_not_given),
        cmocka_unit_test(it_is_told_which_part_that_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
