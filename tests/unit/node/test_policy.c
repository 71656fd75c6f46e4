#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "actors/node/policy.h"
#include "bus/json.h"

static struct pack config;
static struct pack list;

/* A packed list from JSON; valid until the next use of `pack`. */
static struct span parse(struct pack *pack, const char *json)
{
    struct json_opts opts = { .depth_max = 0 };

    pack_reset(pack);
    assert_int_equal(json_to_pack(span_from(json), &opts, pack, NULL), 0);
    return pack_span(pack);
}

static void filtered_is(const struct policy *policy, enum policy_platform platform, const char *declared,
                        const struct span *within, const char *expected)
{
    struct pack in;
    struct pack out;
    struct text_buf text = { 0 };

    pack_init(&in, 0);
    pack_init(&out, 0);
    policy_filter(policy, platform, parse(&in, declared), within, &out);
    assert_int_equal(json_from_value(pack_span(&out), &text), 0);
    assert_int_equal(text_buf_add(&text, SPAN_LIT("\0")), 0);
    assert_string_equal(text.data, expected);
    text_buf_deinit(&text);
    pack_deinit(&in);
    pack_deinit(&out);
}

static int setup(void **state)
{
    (void)state;
    pack_init(&config, 0);
    pack_init(&list, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pack_deinit(&config);
    pack_deinit(&list);
    return 0;
}

static void knows_a_platform_by_how_it_begins(void **state)
{
    struct span none = { 0 };

    (void)state;
    assert_int_equal(policy_platform_of(SPAN_LIT("linux 6.1"), none), POLICY_LINUX);
    assert_int_equal(policy_platform_of(SPAN_LIT(" Darwin"), none), POLICY_MACOS);
    assert_int_equal(policy_platform_of(SPAN_LIT("iOS 18.1"), none), POLICY_IOS);
    assert_int_equal(policy_platform_of(SPAN_LIT("win32"), none), POLICY_WINDOWS);
    assert_int_equal(policy_platform_of(SPAN_LIT("Android 15"), none), POLICY_ANDROID);
    assert_int_equal(policy_platform_of(SPAN_LIT("plan9"), none), POLICY_UNKNOWN);
}

static void knows_a_platform_by_the_device_when_it_says_nothing(void **state)
{
    (void)state;
    assert_int_equal(policy_platform_of((struct span){ 0 }, SPAN_LIT("Apple iPhone")), POLICY_IOS);
    assert_int_equal(policy_platform_of(SPAN_LIT("?"), SPAN_LIT("MacBook")), POLICY_MACOS);
    assert_int_equal(policy_platform_of((struct span){ 0 }, (struct span){ 0 }), POLICY_UNKNOWN);
}

static void lets_nobody_watch_people_by_default(void **state)
{
    static const char *const watching[] = { "camera.snap",  "camera.clip",   "screen.record", "contacts.add",
                                            "calendar.add", "reminders.add", "sms.send",      "sms.search" };
    struct policy policy = { { 0 }, { 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(watching) / sizeof(watching[0]); i++) {
        for (int platform = POLICY_IOS; platform <= POLICY_UNKNOWN; platform++) {
            assert_false(policy_allows(&policy, (enum policy_platform)platform, span_from(watching[i])));
        }
    }
}

static void runs_programs_only_where_there_is_a_shell(void **state)
{
    struct policy policy = { { 0 }, { 0 } };

    (void)state;
    assert_true(policy_allows(&policy, POLICY_LINUX, SPAN_LIT("system.run")));
    assert_true(policy_allows(&policy, POLICY_MACOS, SPAN_LIT("system.run")));
    assert_false(policy_allows(&policy, POLICY_IOS, SPAN_LIT("system.run")));
    assert_false(policy_allows(&policy, POLICY_UNKNOWN, SPAN_LIT("system.run")));
    assert_false(policy_allows(&policy, POLICY_LINUX, SPAN_LIT("camera.list")));
}

static void takes_what_the_config_allows_and_leaves_what_it_denies(void **state)
{
    struct policy policy = { .allow = parse(&config, "[\" camera.snap \"]"),
                             .deny = parse(&list, "[\"system.run\",\"camera.snap2\"]") };

    (void)state;
    assert_true(policy_allows(&policy, POLICY_LINUX, SPAN_LIT("camera.snap")));
    assert_false(policy_allows(&policy, POLICY_LINUX, SPAN_LIT("system.run")));
    assert_false(policy_allows(&policy, POLICY_LINUX, (struct span){ 0 }));
}

static void denying_wins_over_allowing(void **state)
{
    struct policy policy = { .allow = parse(&config, "[\"sms.send\"]"), .deny = parse(&list, "[\"sms.send\"]") };

    (void)state;
    assert_false(policy_allows(&policy, POLICY_ANDROID, SPAN_LIT("sms.send")));
}

static void keeps_each_declared_command_once_and_in_order(void **state)
{
    struct policy policy = { { 0 }, { 0 } };

    (void)state;
    filtered_is(&policy, POLICY_LINUX, "[\"system.which\",\"sms.send\",\" system.run\",\"system.which\",7]", NULL,
                "[\"system.which\",\"system.run\"]");
    filtered_is(&policy, POLICY_LINUX, "[]", NULL, "[]");
}

static void keeps_only_what_was_approved(void **state)
{
    struct policy policy = { { 0 }, { 0 } };
    struct span approved = parse(&list, "[\"system.which\"]");
    struct span nothing = { 0 };

    (void)state;
    filtered_is(&policy, POLICY_LINUX, "[\"system.run\",\"system.which\"]", &approved, "[\"system.which\"]");
    filtered_is(&policy, POLICY_LINUX, "[\"system.run\"]", &nothing, "[]");
}

static void approving_takes_what_using_takes(void **state)
{
    (void)state;
    assert_null(policy_approval_scopes(parse(&list, "[]"))[1]);
    assert_string_equal(policy_approval_scopes(parse(&list, "[\"camera.list\"]"))[1], "operator.write");
    assert_string_equal(policy_approval_scopes(parse(&list, "[\"camera.list\",\"system.which\"]"))[1],
                        "operator.admin");
}

static void names_the_scope_that_is_missing(void **state)
{
    const char *const *wanted = policy_approval_scopes(parse(&config, "[\"system.run\"]"));

    (void)state;
    assert_string_equal(policy_missing_scope(wanted, parse(&list, "[\"operator.pairing\"]")), "operator.admin");
    assert_string_equal(policy_missing_scope(wanted, parse(&list, "[]")), "operator.pairing");
    assert_null(policy_missing_scope(wanted, parse(&list, "[\"operator.admin\"]")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_a_platform_by_how_it_begins),
        cmocka_unit_test(knows_a_platform_by_the_device_when_it_says_nothing),
        cmocka_unit_test(lets_nobody_watch_people_by_default),
        cmocka_unit_test(runs_programs_only_where_there_is_a_shell),
        cmocka_unit_test(takes_what_the_config_allows_and_leaves_what_it_denies),
        cmocka_unit_test(denying_wins_over_allowing),
        cmocka_unit_test(keeps_each_declared_command_once_and_in_order),
        cmocka_unit_test(keeps_only_what_was_approved),
        cmocka_unit_test(approving_takes_what_using_takes),
        cmocka_unit_test(names_the_scope_that_is_missing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
