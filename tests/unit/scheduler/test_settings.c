#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/scheduler/settings.h"
#include "bus/json.h"

#define NOTHING ((struct span){ 0 })

static void packed(const char *json5, struct pack *pack)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;

    pack_init(pack, 0);
    assert_int_equal(json_to_pack(span_from(json5), &opts, pack, &error), 0);
}

static void read(const char *agents, const char *channels, struct settings *settings)
{
    struct pack pack[2];

    packed(agents, &pack[0]);
    packed(channels, &pack[1]);
    assert_int_equal(settings_read(settings, pack_span(&pack[0]), pack_span(&pack[1])), 0);
    pack_deinit(&pack[0]);
    pack_deinit(&pack[1]);
}

static void without_a_word_the_default_agent_has_them_every_half_hour(void **state)
{
    struct settings settings = { .agents = NULL };

    (void)state;
    assert_int_equal(settings_read(&settings, NOTHING, NOTHING), 0);
    assert_int_equal(settings.agents_n, 1);
    assert_string_equal(settings.agents[0].agent_id, "main");
    assert_true(settings.agents[0].is_on);
    assert_int_equal(settings.agents[0].every_ms, 1800000);
    assert_string_equal(settings.agents[0].target, "none");
    assert_string_equal(settings.agents[0].session, "main");
    assert_int_equal(settings.agents[0].ack_max_chars, 300);
    assert_int_equal(settings.agents[0].timeout_ms, 600000);
    assert_true(settings.agents[0].has_guide && !settings.agents[0].is_isolated && !settings.agents[0].hours.is_set);
    read("{ list: [{ id: 'a' }, { id: 'b', default: true }, { id: 'B ' }] }", "{}", &settings);
    assert_int_equal(settings.agents_n, 2);
    assert_true(!settings.agents[0].is_on && settings.agents[1].is_on);
    settings_deinit(&settings);
}

static void a_shared_block_is_for_all_and_own_blocks_for_those_that_have_one(void **state)
{
    struct settings settings = { .agents = NULL };

    (void)state;
    read("{ defaults: { heartbeat: { every: '1h', target: 'last' } }, list: [{ id: 'a' }, { id: 'b' }] }", "{}",
         &settings);
    assert_true(settings.agents[0].is_on && settings.agents[1].is_on);
    read("{ defaults: { heartbeat: { every: '1h', target: 'last', prompt: 'look' } },"
         "  list: [{ id: 'a' }, { id: 'b', heartbeat: { every: '5m', to: 'user:1' } }] }",
         "{}", &settings);
    assert_false(settings.agents[0].is_on);
    assert_true(settings.agents[1].is_on);
    assert_int_equal(settings.agents[1].every_ms, 300000);
    assert_string_equal(settings.agents[1].target, "last");
    assert_string_equal(settings.agents[1].to, "user:1");
    assert_string_equal(settings.agents[1].prompt, "look");
    settings_deinit(&settings);
}

static void no_interval_means_no_heartbeats(void **state)
{
    static const char *const cases[] = { "{ defaults: { heartbeat: { every: '0m' } } }",
                                         "{ defaults: { heartbeat: { every: '0' } } }",
                                         "{ defaults: { heartbeat: { every: 'often' } } }" };
    struct settings settings = { .agents = NULL };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        read(cases[i], "{}", &settings);
        assert_false(settings.agents[0].is_on);
        assert_int_equal(settings.agents[0].every_ms, 0);
    }
    settings_deinit(&settings);
}

static void everything_else_is_read(void **state)
{
    struct settings settings = { .agents = NULL };

    (void)state;
    read("{ defaults: { userTimezone: 'Europe/Berlin', heartbeat: { every: '10m', model: 'm/x', session: 'ops',"
         "  accountId: 'acc', ackMaxChars: 0, timeoutSeconds: 7, isolatedSession: true, directPolicy: 'block',"
         "  includeSystemPromptSection: false, activeHours: { start: '22:00', end: '06:30', timezone: 'user' } } } }",
         "{}", &settings);
    assert_string_equal(settings.user_zone, "Europe/Berlin");
    assert_string_equal(settings.agents[0].model, "m/x");
    assert_string_equal(settings.agents[0].session, "ops");
    assert_string_equal(settings.agents[0].account, "acc");
    assert_int_equal(settings.agents[0].ack_max_chars, 0);
    assert_int_equal(settings.agents[0].timeout_ms, 7000);
    assert_true(settings.agents[0].is_isolated && settings.agents[0].is_direct_blocked &&
                !settings.agents[0].has_guide);
    assert_true(settings.agents[0].hours.is_set);
    assert_int_equal(settings.agents[0].hours.start, 1320);
    assert_int_equal(settings.agents[0].hours.end, 390);
    assert_string_equal(settings.agents[0].zone, "");
    read("{ defaults: { timeoutSeconds: 90, heartbeat: { every: '5s', activeHours: { start: '24:00', end: '10:00' } } "
         "} }",
         "{}", &settings);
    assert_int_equal(settings.agents[0].timeout_ms, 0); /* the agent's own */
    assert_false(settings.agents[0].hours.is_set);
    settings_deinit(&settings);
}

static void what_is_seen_is_said_by_account_channel_and_all(void **state)
{
    struct settings settings = { .agents = NULL };
    struct visibility seen;

    (void)state;
    read(
        "{}",
        "{ defaults: { heartbeat: { showOk: true } },"
        "  pigeon: { botToken: 'secret', heartbeat: { showAlerts: false },"
        "            accounts: { work: { token: 'secret', heartbeat: { showAlerts: true, useIndicator: false } } } } }",
        &settings);
    seen = settings_visibility(&settings, SPAN_LIT("pigeon"), SPAN_LIT("work"));
    assert_true(seen.shows_ok && seen.shows_alerts && !seen.has_indicator);
    seen = settings_visibility(&settings, SPAN_LIT("pigeon"), SPAN_LIT("home"));
    assert_true(seen.shows_ok && !seen.shows_alerts && seen.has_indicator);
    seen = settings_visibility(&settings, SPAN_LIT("webchat"), NOTHING);
    assert_true(seen.shows_ok && seen.shows_alerts && seen.has_indicator);
    assert_null(memmem(settings.visibility.data, settings.visibility.len, "secret", 6)); /* not ours to hold */
    read("{}", "{}", &settings);
    seen = settings_visibility(&settings, SPAN_LIT("pigeon"), NOTHING);
    assert_true(!seen.shows_ok && seen.shows_alerts && seen.has_indicator);
    settings_deinit(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_word_the_default_agent_has_them_every_half_hour),
        cmocka_unit_test(a_shared_block_is_for_all_and_own_blocks_for_those_that_have_one),
        cmocka_unit_test(no_interval_means_no_heartbeats),
        cmocka_unit_test(everything_else_is_read),
        cmocka_unit_test(what_is_seen_is_said_by_account_channel_and_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
