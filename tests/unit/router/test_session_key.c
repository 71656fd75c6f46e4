#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/router/session_key.h"
#include "bus/base/cleanup.h"

static const struct session_key_rules plain = { { "main", 4 }, { "main", 4 }, false };
static const struct session_key_rules work = { { "work", 4 }, { "home", 4 }, false };
static const struct session_key_rules global = { { "main", 4 }, { "main", 4 }, true };

static void expect(const struct session_key_rules *rules, const char *key, const char *agent, const char *full,
                   const char *owner)
{
    struct session_key got = { .len = 0 };

    assert_int_equal(session_key_resolve(rules, span_from(key), span_from(agent), &got), 0);
    assert_string_equal(got.text, full);
    assert_string_equal(got.agent, owner);
    assert_int_equal(got.len, strlen(full));
}

static void refuse(const char *key, const char *agent, int outcome)
{
    struct session_key got = { .len = 77 };

    assert_int_equal(session_key_resolve(&plain, span_from(key), span_from(agent), &got), outcome);
    assert_int_equal(got.len, 77); /* set on success only */
}

static void a_full_key_stays_as_it_is(void **state)
{
    (void)state;
    expect(&plain, "agent:main:chat1", "", "agent:main:chat1", "main");
    expect(&plain, "agent:work:cron:1:run:2", "", "agent:work:cron:1:run:2", "work");
    expect(&plain, "agent:main:main", "main", "agent:main:main", "main");
}

static void case_and_white_space_do_not_matter(void **state)
{
    (void)state;
    expect(&plain, "  Agent:Main:Chat1 ", "", "agent:main:chat1", "main");
    expect(&plain, "MAIN", "", "agent:main:main", "main");
    expect(&plain, "agent:main: x", " MAIN ", "agent:main:x", "main");
}

static void main_is_an_alias_of_the_configured_main_key(void **state)
{
    (void)state;
    expect(&work, "main", "", "agent:work:home", "work");
    expect(&work, "home", "", "agent:work:home", "work");
    expect(&work, "agent:work:main", "", "agent:work:home", "work");
    expect(&work, "agent:ops:main", "", "agent:ops:home", "ops");
}

static void a_short_key_belongs_to_the_default_or_the_named_agent(void **state)
{
    (void)state;
    expect(&work, "chat1", "", "agent:work:chat1", "work");
    expect(&work, "chat1", "ops", "agent:ops:chat1", "ops");
    expect(&work, "telegram:group:-100", "", "agent:work:telegram:group:-100", "work");
    expect(&work, "", "ops", "agent:ops:home", "ops");
}

static void global_and_unknown_stand_alone(void **state)
{
    (void)state;
    expect(&work, "global", "", "global", "work");
    expect(&work, "Unknown", "", "unknown", "work");
    expect(&global, "main", "", "global", "main");
    expect(&global, "agent:ops:main", "", "global", "ops");
    expect(&global, "", "ops", "global", "ops");
    expect(&global, "agent:ops:other", "", "agent:ops:other", "ops");
}

static void half_a_full_key_is_refused_rather_than_taken_for_a_short_one(void **state)
{
    static const char *const keys[] = {
        "agent:",     "agent::",   "agent:main",  "agent:main:",  "agent::main",   "agent:main:  ",   "agent:main::x",
        "AGENT:main", "agent: :x", "agent:a b:x", "agent:../x:y", "agent:main!:x", "agent:\xc3\xa9:x"
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        refuse(keys[i], "", SESSION_KEY_E_MALFORMED);
    }
}

static void an_agent_that_does_not_fit_the_key_is_refused(void **state)
{
    (void)state;
    refuse("agent:main:x", "work", SESSION_KEY_E_MISMATCH);
    refuse("x", "no such agent", SESSION_KEY_E_AGENT);
    refuse("x", "main!", SESSION_KEY_E_AGENT);
    refuse("x", "a/b", SESSION_KEY_E_AGENT);
}

static void empty_and_hostile_bytes_are_refused(void **state)
{
    struct session_key got = { .len = 0 };
    char nul[] = "a\0b";

    (void)state;
    refuse("", "", SESSION_KEY_E_EMPTY);
    refuse(" \t ", "", SESSION_KEY_E_EMPTY);
    refuse("a\nb", "", SESSION_KEY_E_CHARS);
    refuse("a\x7f", "", SESSION_KEY_E_CHARS);
    assert_int_equal(session_key_resolve(&plain, (struct span){ nul, 3 }, (struct span){ 0 }, &got),
                     SESSION_KEY_E_CHARS);
    assert_int_equal(session_key_resolve(&plain, (struct span){ 0 }, (struct span){ 0 }, &got), SESSION_KEY_E_EMPTY);
}

static void the_full_key_has_a_limit(void **state)
{
    char long_key[600];
    struct session_key got = { .len = 0 };

    (void)state;
    memset(long_key, 'a', sizeof(long_key));
    assert_int_equal(session_key_resolve(&plain, (struct span){ long_key, 512 }, (struct span){ 0 }, &got),
                     SESSION_KEY_E_LONG);
    assert_int_equal(session_key_resolve(&plain, (struct span){ long_key, 512 - 11 }, (struct span){ 0 }, &got), 0);
    assert_int_equal(got.len, 512);
    assert_int_equal(got.text[512], '\0');
}

static void ids_of_the_config_are_repaired_and_those_of_clients_are_not(void **state)
{
    char id[SESSION_KEY_AGENT_MAX + 1];

    (void)state;
    assert_int_equal(session_key_agent(SPAN_LIT("  Work Agent! "), id), 0);
    assert_string_equal(id, "work-agent");
    assert_int_equal(session_key_agent(SPAN_LIT("--x--"), id), 0);
    assert_string_equal(id, "x");
    assert_int_equal(session_key_agent(SPAN_LIT("!!!"), id), SESSION_KEY_E_AGENT);
    assert_int_equal(session_key_agent(SPAN_LIT(""), id), SESSION_KEY_E_AGENT);
    assert_int_equal(session_key_agent_exact(SPAN_LIT("Work"), id), 0);
    assert_string_equal(id, "work");
    assert_int_equal(session_key_agent_exact(SPAN_LIT("work agent"), id), SESSION_KEY_E_AGENT);
}

static void an_agent_id_has_a_limit(void **state)
{
    char text[100];
    char id[SESSION_KEY_AGENT_MAX + 1];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(session_key_agent((struct span){ text, sizeof(text) }, id), 0);
    assert_int_equal(strlen(id), 64);
    assert_int_equal(session_key_agent_exact((struct span){ text, 65 }, id), SESSION_KEY_E_AGENT);
    assert_int_equal(session_key_agent_exact((struct span){ text, 64 }, id), 0);
}

static void keys_of_our_own_are_made_of_a_kind_and_a_tail(void **state)
{
    struct session_key got = { .len = 0 };

    (void)state;
    assert_int_equal(session_key_make(SPAN_LIT("main"), "openai-user", SPAN_LIT("Alice@x"), &got), 0);
    assert_string_equal(got.text, "agent:main:openai-user:alice@x");
    assert_int_equal(session_key_make(SPAN_LIT("main"), "explicit", SPAN_LIT(" "), &got), SESSION_KEY_E_EMPTY);
    assert_int_equal(session_key_make(SPAN_LIT("main"), "explicit", SPAN_LIT("a\rb"), &got), SESSION_KEY_E_CHARS);
}

static void every_refusal_has_words(void **state)
{
    (void)state;
    for (int i = 0; i <= SESSION_KEY_E_MISMATCH + 1; i++) {
        assert_true(strlen(session_key_why(i)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_key_stays_as_it_is),
        cmocka_unit_test(case_and_white_space_do_not_matter),
        cmocka_unit_test(main_is_an_alias_of_the_configured_main_key),
        cmocka_unit_test(a_short_key_belongs_to_the_default_or_the_named_agent),
        cmocka_unit_test(global_and_unknown_stand_alone),
        cmocka_unit_test(half_a_full_key_is_refused_rather_than_taken_for_a_short_one),
        cmocka_unit_test(an_agent_that_does_not_fit_the_key_is_refused),
        cmocka_unit_test(empty_and_hostile_bytes_are_refused),
        cmocka_unit_test(the_full_key_has_a_limit),
        cmocka_unit_test(ids_of_the_config_are_repaired_and_those_of_clients_are_not),
        cmocka_unit_test(an_agent_id_has_a_limit),
        cmocka_unit_test(keys_of_our_own_are_made_of_a_kind_and_a_tail),
        cmocka_unit_test(every_refusal_has_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
