#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/channel/account.h"

#define STATES 5
#define EVENTS 10

static struct account in_state(enum account_state state)
{
    return (struct account){ .state = state, .since = 1, .refusals_n = 0 };
}

static void every_event_in_every_state_leads_where_it_should(void **state)
{
    /* rows: the states in their order; columns: the events in theirs */
    static const enum account_state next[STATES][EVENTS] = {
        { ACCOUNT_CONNECTING, ACCOUNT_STOPPED, ACCOUNT_STOPPED, ACCOUNT_STOPPED, ACCOUNT_LOGGED_OUT, ACCOUNT_STOPPED,
          ACCOUNT_STOPPED, ACCOUNT_STOPPED, ACCOUNT_STOPPED, ACCOUNT_STOPPED },
        { ACCOUNT_CONNECTING, ACCOUNT_STOPPED, ACCOUNT_UP, ACCOUNT_CONNECTING, ACCOUNT_LOGGED_OUT, ACCOUNT_CONNECTING,
          ACCOUNT_CONNECTING, ACCOUNT_CONNECTING, ACCOUNT_CONNECTING, ACCOUNT_CONNECTING },
        { ACCOUNT_UP, ACCOUNT_STOPPED, ACCOUNT_UP, ACCOUNT_CONNECTING, ACCOUNT_LOGGED_OUT, ACCOUNT_UP, ACCOUNT_UP,
          ACCOUNT_UP, ACCOUNT_UP, ACCOUNT_DEGRADED },
        { ACCOUNT_DEGRADED, ACCOUNT_STOPPED, ACCOUNT_DEGRADED, ACCOUNT_CONNECTING, ACCOUNT_LOGGED_OUT, ACCOUNT_DEGRADED,
          ACCOUNT_UP, ACCOUNT_DEGRADED, ACCOUNT_UP, ACCOUNT_DEGRADED },
        { ACCOUNT_CONNECTING, ACCOUNT_STOPPED, ACCOUNT_LOGGED_OUT, ACCOUNT_LOGGED_OUT, ACCOUNT_LOGGED_OUT,
          ACCOUNT_LOGGED_OUT, ACCOUNT_LOGGED_OUT, ACCOUNT_LOGGED_OUT, ACCOUNT_LOGGED_OUT, ACCOUNT_LOGGED_OUT },
    };

    (void)state;
    for (int from = 0; from < STATES; from++) {
        for (int event = 0; event < EVENTS; event++) {
            struct account account = in_state((enum account_state)from);
            bool is_new = account_apply(&account, (enum account_event)event, SPAN_LIT("why"), 77);

            if (account.state != next[from][event]) {
                fail_msg("%s, event %d: %s", account_state_name((enum account_state)from), event,
                         account_state_name(account.state));
            }
            assert_int_equal(is_new, (int)account.state != from);
            assert_int_equal(account.since, is_new ? 77 : 1);
        }
    }
}

static void refusals_in_a_row_degrade_and_an_answer_heals(void **state)
{
    struct account account = in_state(ACCOUNT_UP);

    (void)state;
    for (int i = 1; i < ACCOUNT_REFUSALS_MAX; i++) {
        assert_false(account_apply(&account, ACCOUNT_REFUSED, SPAN_LIT("404"), i));
    }
    assert_true(account_apply(&account, ACCOUNT_REFUSED, SPAN_LIT("404"), 9));
    assert_int_equal(account.state, ACCOUNT_DEGRADED);
    assert_string_equal(account.last_error, "404");
    assert_int_equal(account.last_outbound_at, 0); /* nothing ever arrived, whatever the transport says */
    assert_true(account_apply(&account, ACCOUNT_ACKED, SPAN_LIT(""), 10));
    assert_int_equal(account.state, ACCOUNT_UP);
    assert_int_equal(account.last_outbound_at, 10);
    assert_int_equal(account.refusals_n, 0);
    assert_string_equal(account.last_error, "");
    assert_int_equal(account.last_error_at, 9);
}

static void what_was_wrong_is_over_when_the_transport_is_up_again(void **state)
{
    struct account account = in_state(ACCOUNT_UP);

    (void)state;
    account_apply(&account, ACCOUNT_LOST, SPAN_LIT("reset"), 6);
    assert_string_equal(account.last_error, "reset");
    account_apply(&account, ACCOUNT_CONNECTED, SPAN_LIT(""), 7);
    assert_string_equal(account.last_error, "");
    assert_int_equal(account.last_error_at, 6);
}

static void what_happened_last_is_kept_apart(void **state)
{
    struct account account = in_state(ACCOUNT_STOPPED);

    (void)state;
    account_apply(&account, ACCOUNT_START, SPAN_LIT(""), 1);
    account_apply(&account, ACCOUNT_CONNECTED, SPAN_LIT(""), 2);
    account_apply(&account, ACCOUNT_ADMITTED, SPAN_LIT(""), 3);
    account_apply(&account, ACCOUNT_ACKED, SPAN_LIT(""), 4);
    account_apply(&account, ACCOUNT_PROBED, SPAN_LIT(""), 5);
    account_apply(&account, ACCOUNT_LOST, SPAN_LIT("reset"), 6);
    account_apply(&account, ACCOUNT_STOP, SPAN_LIT(""), 7);
    assert_int_equal(account.last_start_at, 1);
    assert_int_equal(account.last_connected_at, 2);
    assert_int_equal(account.last_inbound_at, 3);
    assert_int_equal(account.last_outbound_at, 4);
    assert_int_equal(account.last_probe_at, 5);
    assert_int_equal(account.last_error_at, 6);
    assert_int_equal(account.last_stop_at, 7);
    assert_int_equal(account.inbound_n, 1);
    assert_int_equal(account.outbound_n, 1);
    assert_string_equal(account.last_error, "reset");
}

static void a_long_reason_is_cut(void **state)
{
    static char why[5000];
    struct account account = in_state(ACCOUNT_UP);

    (void)state;
    memset(why, 'w', sizeof(why));
    account_apply(&account, ACCOUNT_LOST, (struct span){ why, sizeof(why) }, 1);
    assert_int_equal(strlen(account.last_error), 500);
}

static void retries_wait_longer_each_time_up_to_five_minutes(void **state)
{
    struct account account = in_state(ACCOUNT_CONNECTING);
    uint32_t before = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        uint32_t wait_ms = account_retry_ms(&account, 0);

        assert_true(wait_ms >= before && wait_ms <= 300000);
        assert_true(account_retry_ms(&account, 0xffffffff) >= wait_ms * 3 / 4);
        before = wait_ms;
        account_apply(&account, ACCOUNT_LOST, SPAN_LIT("x"), i);
    }
    assert_int_equal(before, 300000);
    account_apply(&account, ACCOUNT_CONNECTED, SPAN_LIT(""), 50);
    assert_int_equal(account_retry_ms(&account, 0), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_in_every_state_leads_where_it_should),
        cmocka_unit_test(refusals_in_a_row_degrade_and_an_answer_heals),
        cmocka_unit_test(what_was_wrong_is_over_when_the_transport_is_up_again),
        cmocka_unit_test(what_happened_last_is_kept_apart),
        cmocka_unit_test(a_long_reason_is_cut),
        cmocka_unit_test(retries_wait_longer_each_time_up_to_five_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
