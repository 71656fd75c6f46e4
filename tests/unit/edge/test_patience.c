#include "edge/listener/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void is_lost_when_all_is_spent_at_once(void **state)
{
    struct patience patience = { 0 };

    (void)state;
    for (unsigned i = 0; i < PATIENCE_MAX; i++) {
        assert_true(patience_spend(&patience, 1, 5000));
    }
    assert_false(patience_spend(&patience, 1, 5000));
}

static void comes_back_with_time(void **state)
{
    struct patience patience = { 0 };
    uint64_t now_ms = 5000;

    (void)state;
    assert_true(patience_spend(&patience, PATIENCE_MAX, now_ms));
    for (unsigned i = 0; i < 10000; i++) {
        now_ms += 1000 / PATIENCE_PER_SECOND + 1;
        assert_true(patience_spend(&patience, 1, now_ms));
    }
    assert_true(patience_spend(&patience, PATIENCE_MAX, now_ms + 3600000)); /* no more than all of it */
    assert_false(patience_spend(&patience, 1, now_ms + 3600000));
}

static void comes_back_with_what_is_of_use(void **state)
{
    struct patience patience = { 0 };

    (void)state;
    patience_earn(&patience, 7); /* it was whole */
    for (unsigned i = 0; i < 10000; i++) {
        assert_true(patience_spend(&patience, 2, 5000));
        patience_earn(&patience, 2);
    }
    assert_int_equal(patience.spent, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_lost_when_all_is_spent_at_once),
        cmocka_unit_test(comes_back_with_time),
        cmocka_unit_test(comes_back_with_what_is_of_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
