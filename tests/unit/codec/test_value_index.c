#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "bus/value_index.h"

/* Keys that are no longer in order, of differing lengths, one of them empty; each third stands twice. */
static void map_pack(size_t n, struct pack *out)
{
    char name[32];

    pack_map_begin(out);
    for (size_t i = 0; i < n; i++) {
        for (size_t twice = 0; twice < (i % 3 ? 1U : 2U); twice++) {
            snprintf(name, sizeof(name), "%.*s%zu", (int)(i % 7), "abcdefg", i * 7919 % 10007);
            pack_kv_u64(out, i ? name : "", i * 2 + twice);
        }
    }
    pack_map_end(out);
}

static void finds_what_a_walk_finds(void **state)
{
    static const size_t sizes[] = { 0, 1, 10, 12, 13, 200, 5000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CLEANUP(pack_deinit) struct pack map;
        struct span key;
        struct span item;
        size_t seen = 0;

        pack_init(&map, 0);
        map_pack(sizes[i], &map);
        CLEANUP(value_index_deinit) struct value_index index = value_index(pack_span(&map));
        struct value_iter it = value_iter(pack_span(&map));
        for (; value_next(&it, &key, &item); seen++) {
            struct span found = value_index_find(&index, key);

            if (seen < 300) { /* the walk takes its time */
                assert_ptr_equal(found.ptr, value_find(pack_span(&map), key).ptr);
            }
            assert_true(found.len > 0);
        }
        assert_true(seen >= sizes[i]);
        assert_int_equal(value_index_find(&index, SPAN_LIT("absent")).len, 0);
        assert_int_equal(value_index_find(&index, SPAN_LIT("zzz")).len, 0);
    }
}

static void has_nothing_of_what_is_no_map(void **state)
{
    CLEANUP(value_index_deinit) struct value_index list = value_index(SPAN_LIT("\x92\xa1x\x01"));
    CLEANUP(value_index_deinit) struct value_index none = value_index((struct span){ 0 });

    (void)state;
    assert_int_equal(value_index_find(&list, SPAN_LIT("x")).len, 0);
    assert_int_equal(value_index_find(&none, SPAN_LIT("x")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_walk_finds),
        cmocka_unit_test(has_nothing_of_what_is_no_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
