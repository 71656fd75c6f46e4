#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "actors/auth/limiter.h"
#include "bus/base/mem.h"

static const struct limiter_rules rules = {
    .attempts_max = 3, .window_ms = 1000, .lockout_ms = 5000, .global_max = LIMITER_GLOBAL_MAX
};

static int setup(void **state)
{
    struct limiter *limiter = mem_new(sizeof(*limiter));

    limiter_init(limiter, rules, 42);
    *state = limiter;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void locks_an_address_out_after_so_many_wrong_secrets(void **state)
{
    struct limiter *limiter = *state;
    struct span name = SPAN_LIT("s:203.0.113.9");

    limiter_failed(limiter, name, 100);
    limiter_failed(limiter, name, 200);
    assert_int_equal(limiter_wait_ms(limiter, name, 200), 0);
    limiter_failed(limiter, name, 300);
    assert_int_equal(limiter_wait_ms(limiter, name, 300), 5000);
    assert_int_equal(limiter_wait_ms(limiter, name, 5299), 1);
    assert_int_equal(limiter_wait_ms(limiter, SPAN_LIT("s:203.0.113.10"), 300), 0);
}

static void lets_it_in_again_after_the_lockout(void **state)
{
    struct limiter *limiter = *state;
    struct span name = SPAN_LIT("s:203.0.113.9");

    for (int i = 0; i < 3; i++) {
        limiter_failed(limiter, name, 100);
    }
    assert_int_equal(limiter_wait_ms(limiter, name, 5100), 0);
    limiter_failed(limiter, name, 5100);
    assert_int_equal(limiter_wait_ms(limiter, name, 5100), 0);
}

static void forgets_failures_that_are_older_than_the_window(void **state)
{
    struct limiter *limiter = *state;
    struct span name = SPAN_LIT("s:203.0.113.9");

    for (uint64_t now = 0; now < 20000; now += 600) {
        limiter_failed(limiter, name, now);
        assert_int_equal(limiter_wait_ms(limiter, name, now), 0);
    }
}

static void forgets_failures_once_the_secret_was_right(void **state)
{
    struct limiter *limiter = *state;
    struct span name = SPAN_LIT("s:203.0.113.9");

    limiter_failed(limiter, name, 1);
    limiter_failed(limiter, name, 2);
    limiter_succeeded(limiter, name, 3);
    limiter_failed(limiter, name, 4);
    limiter_failed(limiter, name, 5);
    assert_int_equal(limiter_wait_ms(limiter, name, 5), 0);
}

static void bounds_guesses_from_many_addresses_but_spares_those_who_knew_it(void **state)
{
    struct limiter *limiter = *state;
    struct span known = SPAN_LIT("s:198.51.100.1");
    char name[32];

    limiter_succeeded(limiter, known, 5);
    for (unsigned i = 0; i < LIMITER_GLOBAL_MAX; i++) {
        int n = snprintf(name, sizeof(name), "s:10.0.%u.%u", i / 256, i % 256);
        limiter_failed(limiter, (struct span){ name, (size_t)n }, 10);
    }
    assert_int_not_equal(limiter_wait_ms(limiter, SPAN_LIT("s:192.0.2.1"), 20), 0);
    assert_int_equal(limiter_wait_ms(limiter, known, 20), 0);
    assert_int_equal(limiter_wait_ms(limiter, SPAN_LIT("s:192.0.2.1"), 60011), 0);
}

static void keeps_who_is_locked_out_when_the_table_is_flooded(void **state)
{
    struct limiter *limiter = *state;
    struct span locked = SPAN_LIT("s:203.0.113.9");
    char name[32];

    for (int i = 0; i < 3; i++) {
        limiter_failed(limiter, locked, 1);
    }
    for (unsigned i = 0; i < 100000; i++) {
        int n = snprintf(name, sizeof(name), "s:x%u", i);
        limiter_failed(limiter, (struct span){ name, (size_t)n }, 2);
    }
    assert_int_not_equal(limiter_wait_ms(limiter, locked, 3), 0);
}

static void can_be_switched_off(void **state)
{
    struct limiter *limiter = *state;
    struct span name = SPAN_LIT("s:203.0.113.9");

    limiter_rules_set(limiter, (struct limiter_rules){ 0 });
    for (int i = 0; i < 1000; i++) {
        limiter_failed(limiter, name, 1);
    }
    assert_int_equal(limiter_wait_ms(limiter, name, 1), 0);
}

static void counts_an_ipv6_network_as_one_address(void **state)
{
    char a[LIMITER_KEY_MAX];
    char b[LIMITER_KEY_MAX];
    char c[LIMITER_KEY_MAX];

    (void)state;
    struct span one = limiter_name("s", SPAN_LIT("2001:db8:1:2::1"), a);
    struct span two = limiter_name("s", SPAN_LIT("2001:db8:1:2:ffff::9"), b);
    struct span other = limiter_name("s", SPAN_LIT("2001:db8:1:3::1"), c);
    assert_true(span_is(one, two));
    assert_false(span_is(one, other));
    assert_true(span_is_text(limiter_name("s", SPAN_LIT("192.0.2.1"), a), "s:192.0.2.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(locks_an_address_out_after_so_many_wrong_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(lets_it_in_again_after_the_lockout, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_failures_that_are_older_than_the_window, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_failures_once_the_secret_was_right, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_guesses_from_many_addresses_but_spares_those_who_knew_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(keeps_who_is_locked_out_when_the_table_is_flooded, setup, teardown),
        cmocka_unit_test_setup_teardown(can_be_switched_off, setup, teardown),
        cmocka_unit_test(counts_an_ipv6_network_as_one_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
