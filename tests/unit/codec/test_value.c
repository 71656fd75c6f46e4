#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bus/value.h"

#define BYTES(literal) SPAN_LIT(literal)

static bool is_wire(struct span bytes, unsigned depth)
{
    return wire_check(bytes.ptr, bytes.len, depth);
}

static void refuses_a_map_larger_than_its_bytes(void **state)
{
    static const uint8_t head[] = { 0xdf, 0x03, 0xff, 0xff, 0xff };

    (void)state;
    assert_false(wire_check(head, sizeof(head), 8));
}

static void refuses_every_claim_that_is_not_kept(void **state)
{
    (void)state;
    assert_false(is_wire(BYTES(""), 8));
    assert_false(is_wire(BYTES("\xc1"), 8));
    assert_false(is_wire(BYTES("\xdd\xff\xff\xff\xff"), 8));
    assert_false(is_wire(BYTES("\xdb\xff\xff\xff\xff"), 8));
    assert_false(is_wire(BYTES("\xc6\xff\xff\xff\xff"), 8));
    assert_false(is_wire(BYTES("\xc9\xff\xff\xff\xff\x01"), 8));
    assert_false(is_wire(BYTES("\xdc\x00\x02\x01"), 8));
    assert_false(is_wire(BYTES("\x01\x01"), 8));
}

static void refuses_every_prefix_of_a_value(void **state)
{
    static const char body[] = "\xdf\0\0\0\x05\xa1"
                               "a\x93\x01\xcd\x01\x00\xd3\xff\xff\xff\xff\x7f\xff\xff\xff\xa1"
                               "b\xcb\x3f\xf8\0\0\0\0\0\0\xa1"
                               "c\xd9\x03xyz\xa1"
                               "d\xc4\x02hi\xa1"
                               "e\xd4\x01\x02";

    (void)state;
    assert_true(wire_check(body, sizeof(body) - 1, 2));
    for (size_t len = 0; len < sizeof(body) - 1; len++) {
        struct span cursor = { body, len };

        assert_false(wire_check(body, len, 8));
        assert_false(value_skip(&cursor));
        assert_int_equal(cursor.len, len);
    }
}

static void counts_depth_in_containers(void **state)
{
    (void)state;
    assert_true(is_wire(BYTES("\x01"), 0));
    assert_false(is_wire(BYTES("\x90"), 0));
    assert_true(is_wire(BYTES("\x90"), 1));
    assert_true(is_wire(BYTES("\x91\x91\x90"), 3));
    assert_false(is_wire(BYTES("\x91\x91\x90"), 2));
    assert_true(is_wire(BYTES("\x92\x91\x01\x91\x01"), 2));
    assert_false(is_wire(BYTES("\x81\xa1k\x81\xa1k\x90"), 2));
}

static void is_not_led_deeper_than_its_own_limit(void **state)
{
    char deep[400];

    (void)state;
    memset(deep, '\x91', sizeof(deep));
    deep[sizeof(deep) - 1] = '\x01';
    assert_false(wire_check(deep, sizeof(deep), 1000000));
    assert_true(wire_check(deep + 200, sizeof(deep) - 200, 1000000));
}

static void refuses_keys_that_are_no_text(void **state)
{
    (void)state;
    assert_false(is_wire(BYTES("\x81\x01\x01"), 4));
    assert_false(is_wire(BYTES("\x81\x90\x01"), 4));
    assert_false(is_wire(BYTES("\x82\xa1k\x01\xc0\x01"), 4));
    assert_true(is_wire(BYTES("\x82\xa1k\x80\xa1l\x01"), 4));
}

static void reads_every_head(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum value_kind kind;
        int64_t number;
    } rows[] = {
        { "\x7f", 1, VALUE_INT, 127 },
        { "\xe0", 1, VALUE_INT, -32 },
        { "\xcc\xff", 2, VALUE_INT, 255 },
        { "\xcd\xff\xff", 3, VALUE_INT, 65535 },
        { "\xce\xff\xff\xff\xff", 5, VALUE_INT, 4294967295 },
        { "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9, VALUE_INT, INT64_MAX },
        { "\xd0\x80", 2, VALUE_INT, -128 },
        { "\xd1\x80\x00", 3, VALUE_INT, -32768 },
        { "\xd2\x80\x00\x00\x00", 5, VALUE_INT, INT32_MIN },
        { "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, VALUE_INT, INT64_MIN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span cursor = { rows[i].bytes, rows[i].len };
        struct value_head head;

        assert_true(value_read(&cursor, &head));
        assert_int_equal(head.kind, rows[i].kind);
        assert_true(head.i64 == rows[i].number);
        assert_int_equal(cursor.len, 0);
    }
}

static void reads_the_heads_that_are_no_numbers(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum value_kind kind;
    } rows[] = {
        { "\xc0", 1, VALUE_NIL },
        { "\xc2", 1, VALUE_BOOL },
        { "\xc3", 1, VALUE_BOOL },
        { "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", 9, VALUE_UINT },
        { "\xca\x3f\xc0\x00\x00", 5, VALUE_FLOAT },
        { "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9, VALUE_FLOAT },
        { "\xa0", 1, VALUE_STR },
        { "\xda\x00\x01x", 4, VALUE_STR },
        { "\xdb\x00\x00\x00\x01x", 6, VALUE_STR },
        { "\xc5\x00\x01x", 4, VALUE_BIN },
        { "\xc6\x00\x00\x00\x01x", 6, VALUE_BIN },
        { "\x90", 1, VALUE_ARRAY },
        { "\xdc\x00\x00", 3, VALUE_ARRAY },
        { "\x80", 1, VALUE_MAP },
        { "\xde\x00\x00", 3, VALUE_MAP },
        { "\xd4\x05x", 3, VALUE_EXT },
        { "\xd5\x05xy", 4, VALUE_EXT },
        { "\xd8\x05xxxxxxxxxxxxxxxx", 18, VALUE_EXT },
        { "\xc7\x01\x05x", 4, VALUE_EXT },
        { "\xc8\x00\x01\x05x", 5, VALUE_EXT },
        { "\xc9\x00\x00\x00\x01\x05x", 7, VALUE_EXT },
        { "\xc1", 1, VALUE_NONE },
        { "", 0, VALUE_NONE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span value = { rows[i].bytes, rows[i].len };

        assert_int_equal(value_kind_of(value), rows[i].kind);
        assert_int_equal(wire_check(value.ptr, value.len, 4), rows[i].kind != VALUE_NONE);
    }
}

static void typed_reads_fall_back(void **state)
{
    struct span fallback = SPAN_LIT("none");

    (void)state;
    assert_true(span_is_text(value_str(BYTES("\xa1x"), fallback), "x"));
    assert_true(span_is_text(value_str(BYTES("\x01"), fallback), "none"));
    assert_int_equal(value_i64(BYTES("\x05"), 9), 5);
    assert_int_equal(value_i64(BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), 9), 9);
    assert_int_equal(value_i64(BYTES("\xa1x"), 9), 9);
    assert_true(value_f64(BYTES("\xca\x3f\xc0\x00\x00"), 9) == 1.5);
    assert_true(value_f64(BYTES("\x05"), 9) == 5.0);
    assert_true(value_f64(BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), 9) == 9223372036854775808.0);
    assert_true(value_f64(BYTES("\xc0"), 9) == 9.0);
    assert_true(value_f64(BYTES(""), 9) == 9.0);
    assert_true(value_bool(BYTES("\xc3"), false));
    assert_true(value_bool(BYTES("\x01"), true));
    assert_false(value_bool(BYTES(""), false));
}

static void finds_values_by_key_and_path(void **state)
{
    struct span map = BYTES("\x82\xa1"
                            "a\x81\xa1"
                            "b\x81\xa1"
                            "c\x07\xa3x.y\x08");

    (void)state;
    assert_int_equal(value_i64(value_path(map, "a.b.c"), 0), 7);
    assert_int_equal(value_i64(value_get(map, "x.y"), 0), 8);
    assert_int_equal(value_path(map, "x.y").len, 0);
    assert_int_equal(value_path(map, "a.b.c.d").len, 0);
    assert_int_equal(value_path(map, "a.z").len, 0);
    assert_int_equal(value_path(map, "").len, 0);
    assert_int_equal(value_get(map, "nope").len, 0);
    assert_int_equal(value_i64(value_find(map, (struct span){ "x.yz", 3 }), 0), 8);
    assert_int_equal(value_find(BYTES("\x91\x01"), SPAN_LIT("")).len, 0);
    assert_int_equal(value_get(BYTES("\x91\x01"), "a").len, 0);
    assert_int_equal(value_get(BYTES(""), "a").len, 0);
}

static void iterates_arrays_and_maps_only(void **state)
{
    struct value_iter it = value_iter(BYTES("\x82\xa1"
                                            "a\x01\xa1"
                                            "b\x92\x01\x02"));
    struct span key;
    struct span item;

    (void)state;
    assert_true(value_next(&it, &key, &item));
    assert_true(span_is_text(key, "a"));
    assert_true(value_next(&it, &key, &item));
    assert_true(span_is_text(key, "b"));
    assert_int_equal(value_count(item), 2);
    assert_false(value_next(&it, &key, &item));
    it = value_iter(item);
    assert_true(value_next(&it, &key, &item));
    assert_int_equal(key.len, 0);
    it = value_iter(BYTES("\xa1x"));
    assert_false(value_next(&it, &key, &item));
    it = value_iter(BYTES("\x92\x01"));
    assert_true(value_next(&it, &key, &item));
    assert_false(value_next(&it, &key, &item));
    it = value_iter(BYTES("\x81\xa1"));
    assert_false(value_next(&it, &key, &item));
    assert_int_equal(value_count(BYTES("\x05")), 0);
}

static void takes_one_value_off_the_cursor(void **state)
{
    struct span cursor = BYTES("\x92\x01\xa1x\x05");
    struct span value;

    (void)state;
    assert_true(value_take(&cursor, &value));
    assert_int_equal(value.len, 4);
    assert_int_equal(cursor.len, 1);
    assert_true(value_take(&cursor, &value));
    assert_false(value_take(&cursor, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_map_larger_than_its_bytes),
        cmocka_unit_test(refuses_every_claim_that_is_not_kept),
        cmocka_unit_test(refuses_every_prefix_of_a_value),
        cmocka_unit_test(counts_depth_in_containers),
        cmocka_unit_test(is_not_led_deeper_than_its_own_limit),
        cmocka_unit_test(refuses_keys_that_are_no_text),
        cmocka_unit_test(reads_every_head),
        cmocka_unit_test(reads_the_heads_that_are_no_numbers),
        cmocka_unit_test(typed_reads_fall_back),
        cmocka_unit_test(finds_values_by_key_and_path),
        cmocka_unit_test(iterates_arrays_and_maps_only),
        cmocka_unit_test(takes_one_value_off_the_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
