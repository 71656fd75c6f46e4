#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/router/run_index.h"
#include "actors/router/session_list.h"
#include "bus/json.h"
#include "bus/value.h"

static struct pack rows_of(const char *json5)
{
    struct pack pack;
    struct json_error error;

    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(span_from(json5), &(struct json_opts){ .json5 = true }, &pack, &error), 0);
    return pack;
}

static bool row_is(const struct session_list *list, size_t at, const char *key)
{
    return span_is_text(value_str(value_get(list->rows[at].row, "key"), (struct span){ 0 }), key);
}

static void rows_of_all_agents_come_newest_first_up_to_the_limit(void **state)
{
    struct pack one = rows_of("[{key:'a1',updatedAt:50},{key:'a2',updatedAt:10}]");
    struct pack two = rows_of("[{key:'b1',updatedAt:60},{key:'b2',updatedAt:50}]");
    struct session_list list;
    struct pack out;

    (void)state;
    session_list_init(&list, &(struct session_list_filter){ .limit = 3 });
    assert_int_equal(session_list_add(&list, pack_span(&one), 7), 0);
    assert_int_equal(session_list_add(&list, pack_span(&two), 2), 0);
    session_list_sort(&list);
    assert_int_equal(list.rows_n, 3);
    assert_true(row_is(&list, 0, "b1"));
    assert_true(row_is(&list, 1, "a1"));
    assert_true(row_is(&list, 2, "b2"));
    pack_init(&out, 0);
    pack_map_begin(&out);
    session_list_pack(&list, &out);
    pack_map_end(&out);
    assert_int_equal(value_i64(value_get(pack_span(&out), "count"), 0), 3);
    assert_int_equal(value_i64(value_get(pack_span(&out), "totalCount"), 0), 9);
    assert_int_equal(value_i64(value_get(pack_span(&out), "limitApplied"), 0), 3);
    assert_true(value_bool(value_get(pack_span(&out), "hasMore"), false));
    assert_int_equal(value_count(value_get(pack_span(&out), "sessions")), 3);
    pack_deinit(&out);
    session_list_deinit(&list);
    pack_deinit(&one);
    pack_deinit(&two);
}

static void special_sessions_are_listed_only_when_asked_for(void **state)
{
    struct pack rows = rows_of("[{key:'global'},{key:'unknown'},{key:'x'},{nokey:1},5,{key:''}]");
    struct session_list list;

    (void)state;
    session_list_init(&list, &(struct session_list_filter){ .limit = 10 });
    assert_int_equal(session_list_add(&list, pack_span(&rows), 6), 0);
    assert_int_equal(list.rows_n, 1);
    assert_int_equal(list.total, 1);
    session_list_deinit(&list);
    session_list_init(&list, &(struct session_list_filter){ .limit = 10, .with_global = true, .with_unknown = true });
    assert_int_equal(session_list_add(&list, pack_span(&rows), 6), 0);
    assert_int_equal(list.rows_n, 3);
    session_list_deinit(&list);
    pack_deinit(&rows);
}

static void children_of_one_session_can_be_asked_for(void **state)
{
    struct pack rows = rows_of("[{key:'x',spawnedBy:'p'},{key:'y',spawnedBy:'q'},{key:'z'}]");
    struct session_list list;

    (void)state;
    session_list_init(&list, &(struct session_list_filter){ .limit = 10, .spawned_by = SPAN_LIT("p") });
    assert_int_equal(session_list_add(&list, pack_span(&rows), 3), 0);
    assert_int_equal(list.rows_n, 1);
    assert_true(row_is(&list, 0, "x"));
    session_list_deinit(&list);
    pack_deinit(&rows);
}

static void an_empty_list_is_a_list(void **state)
{
    struct session_list list;
    struct pack out;

    (void)state;
    session_list_init(&list, &(struct session_list_filter){ .limit = 1 });
    assert_int_equal(session_list_add(&list, (struct span){ 0 }, 0), 0);
    session_list_sort(&list);
    pack_init(&out, 0);
    pack_map_begin(&out);
    session_list_pack(&list, &out);
    pack_map_end(&out);
    assert_int_equal(value_kind_of(value_get(pack_span(&out), "sessions")), VALUE_ARRAY);
    assert_false(value_bool(value_get(pack_span(&out), "hasMore"), true));
    pack_deinit(&out);
    session_list_deinit(&list);
}

static void a_run_is_remembered_until_newer_ones_push_it_out(void **state)
{
    struct run_index *index = calloc(1, sizeof(*index));
    char id[24];

    (void)state;
    assert_non_null(index);
    run_index_init(index, 42);
    assert_null(run_index_get(index, SPAN_LIT("r1")));
    run_index_put(index, SPAN_LIT("r1"), "main");
    run_index_put(index, SPAN_LIT("r2"), "work");
    assert_string_equal(run_index_get(index, SPAN_LIT("r1")), "main");
    assert_string_equal(run_index_get(index, SPAN_LIT("r2")), "work");
    run_index_put(index, SPAN_LIT("r1"), "work");
    assert_string_equal(run_index_get(index, SPAN_LIT("r1")), "work");
    for (int i = 0; i < RUN_INDEX_SLOTS * 16; i++) {
        int len = snprintf(id, sizeof(id), "x%d", i);

        run_index_put(index, (struct span){ id, (size_t)len }, "main");
        assert_string_equal(run_index_get(index, (struct span){ id, (size_t)len }), "main");
    }
    assert_null(run_index_get(index, SPAN_LIT("r2")));
    free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_all_agents_come_newest_first_up_to_the_limit),
        cmocka_unit_test(special_sessions_are_listed_only_when_asked_for),
        cmocka_unit_test(children_of_one_session_can_be_asked_for),
        cmocka_unit_test(an_empty_list_is_a_list),
        cmocka_unit_test(a_run_is_remembered_until_newer_ones_push_it_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
