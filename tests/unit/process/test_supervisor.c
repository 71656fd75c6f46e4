#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/supervisor.h"

static const struct supervisor_policy exact = {
    .initial_ms = 50,
    .factor = 2,
    .max_ms = 300,
    .jitter_pct = 0,
    .intensity = 5,
    .period_ms = 10000,
    .stable_ms = 500,
};

static void restarts_the_first_crash_without_delay(void **state)
{
    struct supervisor_state self;
    uint32_t delay_ms = 77;

    (void)state;
    supervisor_init(&self, 1);
    assert_int_equal(supervisor_on_exit(&self, &exact, 1000, &delay_ms), SUPERVISOR_RESTART);
    assert_int_equal(delay_ms, 0);
    assert_int_equal(self.restarts, 1);
}

static void waits_longer_each_time_up_to_the_cap(void **state)
{
    static const uint32_t want[] = { 0, 50, 100, 200, 300 };
    struct supervisor_state self;

    (void)state;
    supervisor_init(&self, 1);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        uint32_t delay_ms = 77;

        assert_int_equal(supervisor_on_exit(&self, &exact, 1000 + i, &delay_ms), SUPERVISOR_RESTART);
        assert_int_equal(delay_ms, want[i]);
    }
}

static void gives_up_above_the_intensity_and_leaves_the_delay_alone(void **state)
{
    struct supervisor_state self;
    uint32_t delay_ms = 0;

    (void)state;
    supervisor_init(&self, 1);
    for (uint32_t i = 0; i < exact.intensity; i++) {
        assert_int_equal(supervisor_on_exit(&self, &exact, i, &delay_ms), SUPERVISOR_RESTART);
    }
    delay_ms = 77;
    assert_int_equal(supervisor_on_exit(&self, &exact, 9, &delay_ms), SUPERVISOR_GAVE_UP);
    assert_int_equal(delay_ms, 77);
    assert_true(self.has_given_up);
}

static void forgets_deaths_older_than_the_period(void **state)
{
    struct supervisor_state self;
    uint32_t delay_ms;

    (void)state;
    supervisor_init(&self, 1);
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(supervisor_on_exit(&self, &exact, i * 2500, &delay_ms), SUPERVISOR_RESTART);
    }
    assert_int_equal(delay_ms, exact.max_ms);
}

static void starts_afresh_after_a_stable_life(void **state)
{
    struct supervisor_state self;
    uint32_t delay_ms;

    (void)state;
    supervisor_init(&self, 1);
    for (uint64_t i = 0; i < 1000; i++) {
        supervisor_on_ready(&self, i * 600);
        assert_int_equal(supervisor_on_exit(&self, &exact, i * 600 + 500, &delay_ms), SUPERVISOR_RESTART);
        assert_int_equal(delay_ms, 0);
    }
    assert_int_equal(self.restarts, 1000);
}

static void a_life_that_was_ready_too_briefly_is_not_stable(void **state)
{
    struct supervisor_state self;
    uint32_t delay_ms;

    (void)state;
    supervisor_init(&self, 1);
    assert_int_equal(supervisor_on_exit(&self, &exact, 0, &delay_ms), SUPERVISOR_RESTART);
    supervisor_on_ready(&self, 10);
    assert_int_equal(supervisor_on_exit(&self, &exact, 509, &delay_ms), SUPERVISOR_RESTART);
    assert_int_equal(delay_ms, 50);
}

static void a_life_that_never_was_ready_is_not_stable_however_long(void **state)
{
    struct supervisor_state self;
    uint32_t delay_ms;

    (void)state;
    supervisor_init(&self, 1);
    supervisor_on_ready(&self, 0);
    assert_int_equal(supervisor_on_exit(&self, &exact, 600, &delay_ms), SUPERVISOR_RESTART);
    assert_int_equal(supervisor_on_exit(&self, &exact, 9000, &delay_ms), SUPERVISOR_RESTART);
    assert_int_equal(delay_ms, 50);
}

static void jitter_shortens_within_its_share_and_differs_by_seed(void **state)
{
    struct supervisor_policy policy = exact;
    unsigned differing_n = 0;

    (void)state;
    policy.jitter_pct = 20;
    policy.initial_ms = 200;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct supervisor_state self;
        uint32_t delay_ms;

        supervisor_init(&self, seed);
        assert_int_equal(supervisor_on_exit(&self, &policy, 0, &delay_ms), SUPERVISOR_RESTART);
        assert_int_equal(supervisor_on_exit(&self, &policy, 1, &delay_ms), SUPERVISOR_RESTART);
        assert_in_range(delay_ms, 160, 200);
        differing_n += delay_ms != 200;
    }
    assert_true(differing_n > 25);
}

static void an_operator_ends_the_gave_up_state(void **state)
{
    struct supervisor_policy policy = exact;
    struct supervisor_state self;
    uint32_t delay_ms = 77;

    (void)state;
    policy.intensity = 0;
    supervisor_init(&self, 1);
    assert_int_equal(supervisor_on_exit(&self, &policy, 0, &delay_ms), SUPERVISOR_GAVE_UP);
    supervisor_reset(&self);
    assert_false(self.has_given_up);
    assert_int_equal(supervisor_on_exit(&self, &exact, 1, &delay_ms), SUPERVISOR_RESTART);
    assert_int_equal(delay_ms, 0);
}

static void an_intensity_above_the_ring_still_gives_up(void **state)
{
    struct supervisor_policy policy = exact;
    struct supervisor_state self;
    uint32_t delay_ms;
    uint32_t restarts_n = 0;

    (void)state;
    policy.intensity = UINT32_MAX - 1;
    supervisor_init(&self, 1);
    while (supervisor_on_exit(&self, &policy, 5, &delay_ms) == SUPERVISOR_RESTART) {
        restarts_n++;
    }
    assert_int_equal(restarts_n, SUPERVISOR_INTENSITY_MAX - 1);
}

static void without_an_intensity_it_waits_and_never_gives_up(void **state)
{
    struct supervisor_policy policy = exact;
    struct supervisor_state self;
    uint32_t delay_ms = 0;

    (void)state;
    policy.intensity = SUPERVISOR_INTENSITY_NONE;
    supervisor_init(&self, 1);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(supervisor_on_exit(&self, &policy, i, &delay_ms), SUPERVISOR_RESTART);
    }
    assert_int_equal(delay_ms, policy.max_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restarts_the_first_crash_without_delay),
        cmocka_unit_test(waits_longer_each_time_up_to_the_cap),
        cmocka_unit_test(gives_up_above_the_intensity_and_leaves_the_delay_alone),
        cmocka_unit_test(forgets_deaths_older_than_the_period),
        cmocka_unit_test(starts_afresh_after_a_stable_life),
        cmocka_unit_test(a_life_that_was_ready_too_briefly_is_not_stable),
        cmocka_unit_test(a_life_that_never_was_ready_is_not_stable_however_long),
        cmocka_unit_test(jitter_shortens_within_its_share_and_differs_by_seed),
        cmocka_unit_test(an_operator_ends_the_gave_up_state),
        cmocka_unit_test(an_intensity_above_the_ring_still_gives_up),
        cmocka_unit_test(without_an_intensity_it_waits_and_never_gives_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
