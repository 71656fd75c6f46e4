#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "actors/agent/watchers.h"

static void who_has_said_nothing_may_watch(void **state)
{
    struct watchers self = { 0 };

    (void)state;
    assert_false(watchers_any(&self, 0));
    assert_true(watchers_any(&self, 1));
    assert_true(watchers_any(&self, SIZE_MAX)); /* not known yet */
    watchers_note(&self, span_from("edge/0"), false);
    assert_false(watchers_any(&self, 1));
    assert_true(watchers_any(&self, 2));
    assert_true(watchers_any(&self, SIZE_MAX));
}

static void one_that_watches_is_enough(void **state)
{
    struct watchers self = { 0 };

    (void)state;
    watchers_note(&self, span_from("edge/0"), false);
    watchers_note(&self, span_from("edge/1"), true);
    assert_true(watchers_any(&self, 2));
    watchers_note(&self, span_from("edge/1"), false);
    assert_false(watchers_any(&self, 2));
    watchers_note(&self, span_from("edge/1"), true);
    assert_true(watchers_any(&self, 2));
    assert_int_equal(self.edges_n, 2);
}

static void those_beyond_the_table_count_as_watching(void **state)
{
    struct watchers self = { 0 };
    char address[16];

    (void)state;
    for (unsigned i = 0; i < WATCHERS_MAX + 1; i++) {
        (void)snprintf(address, sizeof(address), "edge/%u", i);
        watchers_note(&self, span_from(address), false);
    }
    assert_int_equal(self.edges_n, WATCHERS_MAX);
    assert_false(watchers_any(&self, WATCHERS_MAX));
    assert_true(watchers_any(&self, WATCHERS_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_said_nothing_may_watch),
        cmocka_unit_test(one_that_watches_is_enough),
        cmocka_unit_test(those_beyond_the_table_count_as_watching),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
