#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/body.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "tests/support/alloc_fail.h"

static int fresh(void **state)
{
    static struct pack pack;

    pack_init(&pack, 0);
    *state = &pack;
    return 0;
}

static int release(void **state)
{
    pack_deinit(*state);
    return 0;
}

static void assert_bytes(const struct pack *pack, const char *bytes, size_t len)
{
    assert_int_equal(pack_error(pack), 0);
    assert_int_equal(pack->len, len);
    assert_memory_equal(pack->data, bytes, len);
}

#define ASSERT_BYTES(pack, literal) assert_bytes((pack), (literal), sizeof(literal) - 1)

static void whole_numbers_take_their_shortest_form(void **state)
{
    static const struct {
        int64_t number;
        const char *bytes;
        size_t len;
    } rows[] = {
        { 0, "\x00", 1 },
        { 127, "\x7f", 1 },
        { 128, "\xcc\x80", 2 },
        { 255, "\xcc\xff", 2 },
        { 256, "\xcd\x01\x00", 3 },
        { 65536, "\xce\x00\x01\x00\x00", 5 },
        { INT64_C(4294967296), "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9 },
        { -1, "\xff", 1 },
        { -32, "\xe0", 1 },
        { -33, "\xd0\xdf", 2 },
        { -128, "\xd0\x80", 2 },
        { -129, "\xd1\xff\x7f", 3 },
        { -32769, "\xd2\xff\xff\x7f\xff", 5 },
        { INT64_C(-2147483649), "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", 9 },
    };
    struct pack *pack = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pack_reset(pack);
        pack_i64(pack, rows[i].number);
        assert_bytes(pack, rows[i].bytes, rows[i].len);
    }
}

static void the_other_scalars_are_written(void **state)
{
    struct pack *pack = *state;

    pack_nil(pack);
    pack_bool(pack, false);
    pack_bool(pack, true);
    pack_u64(pack, UINT64_MAX);
    pack_f64(pack, 1.5);
    pack_str(pack, SPAN_LIT("hi"));
    pack_text(pack, NULL);
    pack_bin(pack, SPAN_LIT("\x01"));
    ASSERT_BYTES(pack,
                 "\xc0\xc2\xc3\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xcb\x3f\xf8\0\0\0\0\0\0\xa2hi\xc0\xc4\x01\x01");
}

static void long_strings_and_binaries_have_wider_heads(void **state)
{
    static const size_t lens[] = { 31, 32, 255, 256, 65535, 65536 };
    static const uint8_t str_heads[] = { 0xbf, 0xd9, 0xd9, 0xda, 0xda, 0xdb };
    static const uint8_t bin_heads[] = { 0xc4, 0xc4, 0xc4, 0xc5, 0xc5, 0xc6 };
    struct pack *pack = *state;
    char *bytes = calloc(1, 65536);

    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct span text = { bytes, lens[i] };

        pack_reset(pack);
        pack_str(pack, text);
        assert_int_equal((uint8_t)pack->data[0], str_heads[i]);
        assert_int_equal(value_str(pack_span(pack), (struct span){ 0 }).len, lens[i]);
        pack_reset(pack);
        pack_bin(pack, text);
        assert_int_equal((uint8_t)pack->data[0], bin_heads[i]);
        assert_true(wire_check(pack->data, pack->len, 0));
    }
    free(bytes);
}

static void containers_count_what_is_put_in_them(void **state)
{
    struct pack *pack = *state;

    pack_map_begin(pack);
    pack_kv_i64(pack, "a", 1);
    pack_key_span(pack, SPAN_LIT("b"));
    pack_array_begin(pack);
    pack_bool(pack, true);
    pack_map_begin(pack);
    pack_map_end(pack);
    pack_array_end(pack);
    pack_map_end(pack);
    ASSERT_BYTES(pack, "\xdf\0\0\0\x02\xa1"
                       "a\x01\xa1"
                       "b\xdd\0\0\0\x02\xc3\xdf\0\0\0\0");
}

static void each_pair_helper_writes_its_kind(void **state)
{
    struct pack *pack = *state;
    struct span map;

    pack_map_begin(pack);
    pack_kv_bool(pack, "b", true);
    pack_kv_u64(pack, "u", 7);
    pack_kv_f64(pack, "f", 0.5);
    pack_kv_str(pack, "s", SPAN_LIT("x"));
    pack_kv_text(pack, "t", "y");
    pack_kv_text(pack, "n", NULL);
    pack_kv_raw(pack, "r", SPAN_LIT("\x93\x01\x02\x03"));
    pack_map_end(pack);
    map = pack_span(pack);
    assert_int_equal(pack_error(pack), 0);
    assert_int_equal(value_count(map), 7);
    assert_true(value_bool(value_get(map, "b"), false));
    assert_int_equal(value_i64(value_get(map, "u"), 0), 7);
    assert_true(value_f64(value_get(map, "f"), 0) == 0.5);
    assert_true(span_is_text(value_str(value_get(map, "s"), (struct span){ 0 }), "x"));
    assert_true(span_is_text(value_str(value_get(map, "t"), (struct span){ 0 }), "y"));
    assert_int_equal(value_kind_of(value_get(map, "n")), VALUE_NIL);
    assert_int_equal(value_count(value_get(map, "r")), 3);
}

static void a_key_without_a_value_is_a_fault(void **state)
{
    pack_map_begin(*state);
    pack_key(*state, "a");
    pack_map_end(*state);
    assert_int_equal(pack_error(*state), -EPROTO);
}

static void a_value_without_a_key_is_a_fault(void **state)
{
    pack_map_begin(*state);
    pack_nil(*state);
    assert_int_equal(pack_error(*state), -EPROTO);
}

static void two_keys_in_a_row_are_a_fault(void **state)
{
    pack_map_begin(*state);
    pack_key(*state, "a");
    pack_key(*state, "b");
    assert_int_equal(pack_error(*state), -EPROTO);
}

static void a_key_outside_a_map_is_a_fault(void **state)
{
    struct pack *pack = *state;

    pack_key(pack, "a");
    assert_int_equal(pack_error(pack), -EPROTO);
    pack_reset(pack);
    pack_array_begin(pack);
    pack_key(pack, "a");
    assert_int_equal(pack_error(pack), -EPROTO);
}

static void closing_the_wrong_container_is_a_fault(void **state)
{
    struct pack *pack = *state;

    pack_map_end(pack);
    assert_int_equal(pack_error(pack), -EPROTO);
    pack_reset(pack);
    pack_map_begin(pack);
    pack_array_end(pack);
    assert_int_equal(pack_error(pack), -EPROTO);
}

static void a_container_left_open_is_a_fault(void **state)
{
    pack_array_begin(*state);
    assert_int_equal(pack_error(*state), -EPROTO);
}

static void an_empty_raw_value_is_a_fault(void **state)
{
    pack_raw(*state, (struct span){ 0 });
    assert_int_equal(pack_error(*state), -EPROTO);
}

static void errors_stay_and_stop_everything(void **state)
{
    struct pack *pack = *state;
    size_t len;

    pack_key(pack, "a");
    len = pack->len;
    pack_map_begin(pack);
    pack_kv_i64(pack, "a", 1);
    pack_map_end(pack);
    pack_raw(pack, SPAN_LIT("\x01"));
    assert_int_equal(pack->len, len);
    assert_int_equal(pack_error(pack), -EPROTO);
    pack_reset(pack);
    pack_i64(pack, 1);
    ASSERT_BYTES(pack, "\x01");
}

static void nests_as_deep_as_it_says_and_no_deeper(void **state)
{
    struct pack *pack = *state;

    for (int i = 0; i < PACK_DEPTH_MAX; i++) {
        pack_array_begin(pack);
    }
    for (int i = 0; i < PACK_DEPTH_MAX; i++) {
        pack_array_end(pack);
    }
    assert_int_equal(pack_error(pack), 0);
    pack_reset(pack);
    for (int i = 0; i < PACK_DEPTH_MAX + 1; i++) {
        pack_array_begin(pack);
    }
    assert_int_equal(pack_error(pack), -E2BIG);
}

static void stops_at_its_limit(void **state)
{
    struct pack pack;

    (void)state;
    pack_init(&pack, 300);
    pack_str(&pack, (struct span){ "0123456789", 10 });
    assert_int_equal(pack_error(&pack), 0);
    for (int i = 0; i < 100; i++) {
        pack_str(&pack, (struct span){ "0123456789", 10 });
    }
    assert_int_equal(pack_error(&pack), -E2BIG);
    assert_true(pack.len <= 300 && pack.cap <= 300);
    pack_deinit(&pack);
}

static void every_failed_allocation_is_told(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct pack pack;
        bool failed;

        pack_init(&pack, 0);
        alloc_fail_at(nth);
        pack_array_begin(&pack);
        for (int i = 0; i < 1000; i++) {
            pack_text(&pack, "some text");
        }
        pack_array_end(&pack);
        failed = alloc_fail_happened();
        alloc_fail_at(0);
        assert_int_equal(pack_error(&pack), failed ? -ENOMEM : 0);
        pack_deinit(&pack);
        if (!failed) {
            break;
        }
    }
}

static void a_body_can_be_shared(void **state)
{
    struct body first;
    struct body second;
    struct body empty;

    (void)state;
    assert_int_equal(body_init(&first, SPAN_LIT("some bytes, more than fit into a small libzmq message")), 0);
    assert_int_equal(body_init_share(&second, &first), 0);
    assert_ptr_equal(body_span(&first).ptr, body_span(&second).ptr);
    body_deinit(&first);
    assert_int_equal(body_span(&second).len, 53);
    assert_memory_equal(body_span(&second).ptr, "some bytes", 10);
    body_deinit(&second);
    assert_int_equal(body_init(&empty, (struct span){ 0 }), 0);
    assert_int_equal(body_span(&empty).len, 0);
    body_deinit(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_numbers_take_their_shortest_form, fresh, release),
        cmocka_unit_test_setup_teardown(the_other_scalars_are_written, fresh, release),
        cmocka_unit_test_setup_teardown(long_strings_and_binaries_have_wider_heads, fresh, release),
        cmocka_unit_test_setup_teardown(containers_count_what_is_put_in_them, fresh, release),
        cmocka_unit_test_setup_teardown(each_pair_helper_writes_its_kind, fresh, release),
        cmocka_unit_test_setup_teardown(a_key_without_a_value_is_a_fault, fresh, release),
        cmocka_unit_test_setup_teardown(a_value_without_a_key_is_a_fault, fresh, release),
        cmocka_unit_test_setup_teardown(two_keys_in_a_row_are_a_fault, fresh, release),
        cmocka_unit_test_setup_teardown(a_key_outside_a_map_is_a_fault, fresh, release),
        cmocka_unit_test_setup_teardown(closing_the_wrong_container_is_a_fault, fresh, release),
        cmocka_unit_test_setup_teardown(a_container_left_open_is_a_fault, fresh, release),
        cmocka_unit_test_setup_teardown(an_empty_raw_value_is_a_fault, fresh, release),
        cmocka_unit_test_setup_teardown(errors_stay_and_stop_everything, fresh, release),
        cmocka_unit_test_setup_teardown(nests_as_deep_as_it_says_and_no_deeper, fresh, release),
        cmocka_unit_test(stops_at_its_limit),
        cmocka_unit_test(every_failed_allocation_is_told),
        cmocka_unit_test(a_body_can_be_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
