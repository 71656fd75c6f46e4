/* What counts as a stall, and what does not. */
#include "bus/stall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "bus/pulse.h"

#define MS 1000000U
#define AT_WORK (8U | PULSE_AT_WORK)
#define AT_REST 8U

/* Looks every 50 ms, `n` times, at a thread that gets so much of each; returns what is held against it. */
static uint64_t watched(uint64_t beat, char state, uint64_t ran_ms, uint64_t ready_ms, unsigned n)
{
    struct stall stall = { 0 };
    struct stall_thread thread = { .state = state };

    (void)stall_suspect(&stall, beat, true); /* news */
    for (unsigned i = 0; i <= n && stall_suspect(&stall, beat, true); i++) {
        (void)stall_add(&stall, &thread, 50);
        thread.ran_ns += ran_ms * MS;
        thread.ready_ns += ready_ms * MS;
    }
    return stall.own_ms;
}

static void a_loop_without_end_counts(void **state)
{
    (void)state;
    assert_int_equal(watched(AT_WORK, 'R', 50, 0, 10), 500);
    assert_int_equal(watched(AT_REST, 'R', 50, 0, 10), 500); /* in a callback of its own */
}

static void a_wait_inside_a_handler_counts(void **state)
{
    (void)state;
    assert_int_equal(watched(AT_WORK, 'S', 0, 0, 10), 500);
}

static void waiting_for_work_does_not_count(void **state)
{
    (void)state;
    assert_int_equal(watched(AT_REST, 'S', 0, 0, 100), 0);
}

static void waiting_for_a_processor_does_not_count(void **state)
{
    (void)state;
    assert_int_equal(watched(AT_WORK, 'R', 5, 45, 10), 50);
    assert_int_equal(watched(AT_REST, 'R', 5, 45, 10), 50);
}

static void a_disk_and_a_debugger_do_not_count(void **state)
{
    (void)state;
    assert_int_equal(watched(AT_WORK, 'D', 0, 0, 100), 0);
    assert_int_equal(watched(AT_WORK, 't', 0, 0, 100), 0);
    assert_int_equal(watched(AT_WORK, 'T', 0, 0, 100), 0);
}

static void who_goes_on_begins_anew_and_is_still_known_as_told(void **state)
{
    struct stall stall = { .beat = AT_WORK, .own_ms = 400, .is_seen = true, .is_told = true };

    (void)state;
    assert_true(stall_suspect(&stall, AT_WORK + 2, true));
    assert_int_equal(stall.own_ms, 0);
    assert_true(stall.is_told);
    assert_int_equal(stall_add(&stall, &(struct stall_thread){ .state = 'R' }, 50), 0); /* no more than seen */
    assert_false(stall_suspect(&stall, AT_REST, true));
}

static void nobody_is_looked_at_without_a_reason(void **state)
{
    struct stall stall = { .beat = AT_REST };

    (void)state;
    assert_false(stall_suspect(&stall, AT_REST, false));
    assert_true(stall_suspect(&stall, AT_REST, true));
    stall = (struct stall){ 0 };
    assert_false(stall_suspect(&stall, 0, true)); /* it does not turn yet */
}

static void time_that_nobody_watched_does_not_count(void **state)
{
    struct stall stall = { .beat = AT_WORK };
    struct stall_thread thread = { .state = 'S' };

    (void)state;
    assert_int_equal(stall_add(&stall, &thread, 5000), 0);
    stall_skip(&stall);
    assert_int_equal(stall_add(&stall, &thread, 5000), 0);
    assert_int_equal(stall_add(&stall, &thread, 50), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_without_end_counts),
        cmocka_unit_test(a_wait_inside_a_handler_counts),
        cmocka_unit_test(waiting_for_work_does_not_count),
        cmocka_unit_test(waiting_for_a_processor_does_not_count),
        cmocka_unit_test(a_disk_and_a_debugger_do_not_count),
        cmocka_unit_test(who_goes_on_begins_anew_and_is_still_known_as_told),
        cmocka_unit_test(nobody_is_looked_at_without_a_reason),
        cmocka_unit_test(time_that_nobody_watched_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
