#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/scheduler/plan.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MONDAY INT64_C(1768780800000) /* 2026-01-19 00:00 UTC */
#define SPRING INT64_C(1774742400000) /* 2026-03-29 00:00 UTC: Central Europe changes at 01:00 UTC */
#define AUTUMN INT64_C(1792886400000) /* 2026-10-25 00:00 UTC */

static struct zone utc;
static struct zone berlin;

static int zones_make(void **state)
{
    (void)state;
    utc = (struct zone){ .name = "UTC", .rule = { .is_set = true } };
    berlin = (struct zone){ .name = "Europe/Berlin" };
    return zone_rule_parse(SPAN_LIT("CET-1CEST,M3.5.0,M10.5.0/3"), &berlin.rule) ? 0 : -1;
}

static struct plan plan_of(int64_t every_ms)
{
    return (struct plan){ .every_ms = every_ms, .phase_ms = every_ms / 3, .zone = &utc };
}

static struct hours hours_of(int start, int end)
{
    return (struct hours){ .is_set = true, .start = start, .end = end };
}

/* --- the grid --------------------------------------------------------------------------------------- */

static void the_first_one_comes_after_half_an_interval_at_the_earliest(void **state)
{
    struct plan plan = plan_of(30 * MINUTE);

    (void)state;
    for (int64_t now = MONDAY; now < MONDAY + HOUR; now += 7919) {
        int64_t next = plan_next_ms(&plan, now, now);

        assert_true(next >= now + 15 * MINUTE && next < now + 45 * MINUTE);
        assert_int_equal((next - plan.phase_ms) % plan.every_ms, 0);
    }
}

static void one_that_takes_long_skips_what_it_missed(void **state)
{
    struct plan plan = plan_of(10 * MINUTE);
    int64_t start = plan_next_ms(&plan, MONDAY, MONDAY);

    (void)state;
    assert_int_equal(plan_next_ms(&plan, start, start + 1000), start + 10 * MINUTE);
    assert_int_equal(plan_next_ms(&plan, start, start + 34 * MINUTE), start + 40 * MINUTE);
}

static void agents_are_spread_and_stay_where_they_are(void **state)
{
    int64_t first = plan_phase_ms(1, SPAN_LIT("a"), 30 * MINUTE);
    unsigned near_n = 0;
    char id[2] = "a";

    (void)state;
    assert_int_equal(first, plan_phase_ms(1, SPAN_LIT("a"), 30 * MINUTE));
    assert_int_not_equal(first, plan_phase_ms(2, SPAN_LIT("a"), 30 * MINUTE));
    for (id[0] = 'b'; id[0] <= 'z'; id[0]++) {
        int64_t phase = plan_phase_ms(1, span_from(id), 30 * MINUTE);

        assert_true(phase >= 0 && phase < 30 * MINUTE);
        near_n += phase - first < MINUTE && first - phase < MINUTE;
    }
    assert_true(near_n < 10);
}

static void without_an_interval_nothing_is_due(void **state)
{
    struct plan plan = plan_of(0);

    (void)state;
    assert_int_equal(plan_next_ms(&plan, MONDAY, MONDAY), 0);
    assert_int_equal(plan_review_ms(&plan, MONDAY, MONDAY), 0);
    assert_int_equal(plan_phase_ms(1, SPAN_LIT("a"), 0), 0);
}

/* --- what is kept over restarts, changes and jumps --------------------------------------------------------- */

static void a_due_time_is_kept_and_made_up_for_within_an_interval(void **state)
{
    struct plan plan = plan_of(30 * MINUTE);
    int64_t due = plan_next_ms(&plan, MONDAY, MONDAY);

    (void)state;
    assert_int_equal(plan_review_ms(&plan, due, MONDAY), due);
    assert_int_equal(plan_review_ms(&plan, due, due - 1), due);
    assert_int_equal(plan_review_ms(&plan, due, due + 30 * MINUTE), due);
    assert_true(plan_review_ms(&plan, due, due + 30 * MINUTE + 1) > due + 30 * MINUTE);
}

static void a_clock_that_is_set_back_does_not_silence_anybody(void **state)
{
    struct plan plan = plan_of(30 * MINUTE);
    int64_t due = plan_next_ms(&plan, MONDAY + 30 * DAY, MONDAY + 30 * DAY);

    (void)state;
    assert_true(plan_review_ms(&plan, due, MONDAY) < MONDAY + 45 * MINUTE);
}

static void another_interval_makes_another_grid(void **state)
{
    struct plan plan = plan_of(30 * MINUTE);
    int64_t due = plan_next_ms(&plan, MONDAY, MONDAY);

    (void)state;
    plan = plan_of(HOUR);
    plan.phase_ms += 1;
    assert_int_equal((plan_review_ms(&plan, due, MONDAY) - plan.phase_ms) % HOUR, 0);
}

static void too_many_starts_in_a_minute_make_the_next_one_wait(void **state)
{
    struct plan_starts starts = { { 0 } };

    (void)state;
    for (int i = 0; i < PLAN_FLOOD_N; i++) {
        assert_int_equal(plan_allowed_ms(&starts, MONDAY + i), MONDAY + i);
        plan_start_note(&starts, MONDAY + i);
    }
    assert_int_equal(plan_allowed_ms(&starts, MONDAY + 10), MONDAY + MINUTE);
    assert_int_equal(plan_allowed_ms(&starts, MONDAY + MINUTE), MONDAY + MINUTE);
    assert_int_equal(plan_allowed_ms(&starts, MONDAY - DAY), MONDAY - DAY);
    plan_start_forget(&starts);
    assert_int_equal(plan_allowed_ms(&starts, MONDAY + 10), MONDAY + 10);
    plan_start_note(&starts, MONDAY + 10);
    assert_int_equal(plan_allowed_ms(&starts, MONDAY + 10), MONDAY + MINUTE);
}

/* --- hours ---------------------------------------------------------------------------------------------------- */

static void hours_hold_from_the_first_minute_to_before_the_last(void **state)
{
    struct hours day = hours_of(540, 1320);
    struct hours night = hours_of(1320, 360);
    struct hours always = hours_of(0, 1440);
    struct hours never = hours_of(480, 480);
    struct hours none = { .is_set = false };

    (void)state;
    assert_false(hours_hold(&day, &utc, MONDAY + 9 * HOUR - 1));
    assert_true(hours_hold(&day, &utc, MONDAY + 9 * HOUR));
    assert_true(hours_hold(&day, &utc, MONDAY + 22 * HOUR - 1));
    assert_false(hours_hold(&day, &utc, MONDAY + 22 * HOUR));
    assert_true(hours_hold(&night, &utc, MONDAY + 23 * HOUR));
    assert_true(hours_hold(&night, &utc, MONDAY + 5 * HOUR));
    assert_false(hours_hold(&night, &utc, MONDAY + 6 * HOUR));
    for (int64_t at = MONDAY; at < MONDAY + DAY; at += HOUR) {
        assert_true(hours_hold(&always, &utc, at) && hours_hold(&none, &utc, at));
        assert_false(hours_hold(&never, &utc, at));
    }
    assert_int_equal(hours_seek(&never, &utc, MONDAY, MINUTE), 0);
}

/* The first slot of a grid in the window, found by looking at each. */
static int64_t seek_slowly(const struct hours *hours, const struct zone *zone, int64_t from, int64_t step)
{
    for (int64_t at = from; at <= from + 8 * DAY; at += step) {
        if (hours_hold(hours, zone, at)) {
            return at;
        }
    }
    return 0;
}

static void the_next_slot_within_the_hours_is_the_first_one(void **state)
{
    static const int64_t steps[] = { MINUTE, 30 * MINUTE, HOUR, 7 * HOUR };
    static const int64_t bases[] = { MONDAY, SPRING - DAY, AUTUMN - DAY };

    (void)state;
    for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
        for (size_t b = 0; b < 3; b++) {
            for (int start = 0; start < 1440; start += 197) {
                struct hours hours = hours_of(start, (start + 130) % 1440);
                int64_t from = bases[b] + start * 12345;

                assert_int_equal(hours_seek(&hours, &berlin, from, steps[s]),
                                 seek_slowly(&hours, &berlin, from, steps[s]));
            }
        }
    }
}

static void clocks_that_are_put_forward_may_leave_a_window_out(void **state)
{
    struct hours gone = hours_of(125, 175); /* 02:05 to 02:55, which that night does not have */
    struct hours twice = hours_of(120, 180);
    int64_t open_ms = 0;

    (void)state;
    assert_int_equal(hours_seek(&gone, &berlin, SPRING, MINUTE), SPRING + DAY + 5 * MINUTE);
    for (int64_t at = AUTUMN - HOUR; at < AUTUMN + 4 * HOUR; at += MINUTE) {
        open_ms += hours_hold(&twice, &berlin, at) ? MINUTE : 0;
    }
    assert_int_equal(open_ms, 2 * HOUR); /* and in autumn an hour comes twice */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_one_comes_after_half_an_interval_at_the_earliest),
        cmocka_unit_test(one_that_takes_long_skips_what_it_missed),
        cmocka_unit_test(agents_are_spread_and_stay_where_they_are),
        cmocka_unit_test(without_an_interval_nothing_is_due),
        cmocka_unit_test(a_due_time_is_kept_and_made_up_for_within_an_interval),
        cmocka_unit_test(a_clock_that_is_set_back_does_not_silence_anybody),
        cmocka_unit_test(another_interval_makes_another_grid),
        cmocka_unit_test(too_many_starts_in_a_minute_make_the_next_one_wait),
        cmocka_unit_test(hours_hold_from_the_first_minute_to_before_the_last),
        cmocka_unit_test(the_next_slot_within_the_hours_is_the_first_one),
        cmocka_unit_test(clocks_that_are_put_forward_may_leave_a_window_out),
    };

    return cmocka_run_group_tests(tests, zones_make, NULL);
}
