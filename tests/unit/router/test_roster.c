#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/router/roster.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/value.h"

static struct pack config_of(const char *json5)
{
    struct pack pack;
    struct json_error error;

    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(span_from(json5), &(struct json_opts){ .json5 = true }, &pack, &error), 0);
    return pack;
}

static struct roster roster_of(const char *agents, const char *session)
{
    struct pack left = config_of(agents);
    struct pack right = config_of(session);
    struct roster roster;

    assert_int_equal(roster_build(pack_span(&left), pack_span(&right), &roster), 0);
    pack_deinit(&left); /* the roster must have its own copy */
    pack_deinit(&right);
    return roster;
}

static void a_silent_config_means_one_agent_named_main(void **state)
{
    struct roster roster;

    (void)state;
    assert_int_equal(roster_build((struct span){ 0 }, (struct span){ 0 }, &roster), 0);
    assert_int_equal(roster.agents_n, 1);
    assert_string_equal(roster_default(&roster)->id, "main");
    assert_true(roster_default(&roster)->is_default);
    assert_true(span_is_text(roster_rules(&roster).main_key, "main"));
    assert_false(roster_rules(&roster).is_global);
    assert_null(roster_find(&roster, "work"));
    roster_deinit(&roster);
}

static void the_first_marked_agent_is_the_default_else_the_first(void **state)
{
    struct roster one = roster_of("{list:[{id:'a'},{id:'b',default:true},{id:'c',default:true}]}", "{}");
    struct roster two = roster_of("{list:[{id:'x'},{id:'y'}]}", "null");

    (void)state;
    assert_string_equal(roster_default(&one)->id, "b");
    assert_false(one.agents[2].is_default);
    assert_string_equal(roster_default(&two)->id, "x");
    assert_null(roster_find(&two, "main"));
    roster_deinit(&one);
    roster_deinit(&two);
}

static void useless_and_repeated_entries_are_left_out(void **state)
{
    struct roster roster = roster_of("{list:[{id:'Work'},{id:'work'},{},7,{id:'!!'},{id:5},{id:'ops team'}]}", "{}");

    (void)state;
    assert_int_equal(roster.agents_n, 2);
    assert_string_equal(roster.agents[0].id, "work");
    assert_string_equal(roster.agents[1].id, "ops-team");
    roster_deinit(&roster);
}

static void too_many_agents_are_refused(void **state)
{
    struct pack pack;
    struct roster roster;
    char id[16];

    (void)state;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_key(&pack, "list");
    pack_array_begin(&pack);
    for (int i = 0; i < ROSTER_MAX + 1; i++) {
        snprintf(id, sizeof(id), "a%d", i);
        pack_map_begin(&pack);
        pack_kv_text(&pack, "id", id);
        pack_map_end(&pack);
    }
    pack_array_end(&pack);
    pack_map_end(&pack);
    assert_int_equal(roster_build(pack_span(&pack), (struct span){ 0 }, &roster), ROSTER_E_MANY);
    pack_deinit(&pack);
}

static void session_settings_make_the_rules(void **state)
{
    struct roster roster = roster_of("{list:[{id:'a'}]}", "{mainKey:' Home ',scope:'global'}");

    (void)state;
    assert_true(span_is_text(roster_rules(&roster).main_key, "home"));
    assert_true(roster_rules(&roster).is_global);
    assert_true(span_is_text(roster_rules(&roster).default_agent, "a"));
    roster_deinit(&roster);
}

static void models_come_from_the_agent_then_from_the_defaults(void **state)
{
    struct roster roster =
        roster_of("{defaults:{model:{primary:'p/d',fallbacks:['p/e']},workspace:'/w'},"
                  "list:[{id:'a'},{id:'b',model:'p/b',workspace:'/b'},{id:'c',model:{primary:'p/c'}}]}",
                  "{}");

    (void)state;
    assert_true(span_is_text(roster_model(&roster, &roster.agents[0]), "p/d"));
    assert_true(span_is_text(roster_model(&roster, &roster.agents[1]), "p/b"));
    assert_true(span_is_text(roster_model(&roster, &roster.agents[2]), "p/c"));
    for (size_t i = 0; i < 3; i++) {
        static const char *const places[] = { "/w", "/b", "/w/c" };
        CLEANUP(mem_free) char *workspace = roster_workspace(&roster, &roster.agents[i]);

        assert_string_equal(workspace, places[i]);
    }
    roster_deinit(&roster);
}

static void agents_list_has_the_shape_clients_know(void **state)
{
    struct roster roster = roster_of("{defaults:{model:{primary:'p/d',fallbacks:['p/e']}},"
                                     "list:[{id:'a',name:'Ann',identity:{name:'A',emoji:'x',junk:1}}]}",
                                     "{}");
    struct pack pack;
    struct text_buf text = { 0 };

    (void)state;
    pack_init(&pack, 0);
    roster_pack(&roster, &pack);
    assert_int_equal(pack_error(&pack), 0);
    assert_int_equal(json_from_value(pack_span(&pack), &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, "{\"defaultId\":\"a\",\"mainKey\":\"main\",\"scope\":\"per-sender\",\"agents\":["
                                   "{\"id\":\"a\",\"name\":\"Ann\",\"identity\":{\"name\":\"A\",\"emoji\":\"x\"},"
                                   "\"agentRuntime\":{\"id\":\"openclaw\",\"source\":\"implicit\"},"
                                   "\"model\":{\"primary\":\"p/d\",\"fallbacks\":[\"p/e\"]}}]}");
    text_buf_deinit(&text);
    pack_deinit(&pack);
    roster_deinit(&roster);
}

static void an_identity_falls_back_to_the_id(void **state)
{
    struct roster roster = roster_of("{list:[{id:'a'},{id:'b',identity:{name:'Bee',avatar:'https://x/y.png'}}]}", "{}");
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    roster_pack_identity(&roster, &roster.agents[0], &pack);
    assert_true(span_is_text(value_str(value_get(pack_span(&pack), "name"), (struct span){ 0 }), "a"));
    assert_true(span_is_text(value_str(value_get(pack_span(&pack), "avatarStatus"), (struct span){ 0 }), "none"));
    pack_reset(&pack);
    roster_pack_identity(&roster, &roster.agents[1], &pack);
    assert_true(span_is_text(value_str(value_get(pack_span(&pack), "name"), (struct span){ 0 }), "Bee"));
    assert_true(span_is_text(value_str(value_get(pack_span(&pack), "avatarStatus"), (struct span){ 0 }), "remote"));
    pack_deinit(&pack);
    roster_deinit(&roster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_config_means_one_agent_named_main),
        cmocka_unit_test(the_first_marked_agent_is_the_default_else_the_first),
        cmocka_unit_test(useless_and_repeated_entries_are_left_out),
        cmocka_unit_test(too_many_agents_are_refused),
        cmocka_unit_test(session_settings_make_the_rules),
        cmocka_unit_test(models_come_from_the_agent_then_from_the_defaults),
        cmocka_unit_test(agents_list_has_the_shape_clients_know),
        cmocka_unit_test(an_identity_falls_back_to_the_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
