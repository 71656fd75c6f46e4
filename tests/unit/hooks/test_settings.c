#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "actors/hooks/settings.h"
#include "bus/pack.h"
#include "schema/base/hooks_config.h"

static struct span packed(const char *json5, struct pack *pack)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;

    pack_init(pack, 0);
    assert_int_equal(json_to_pack(span_from(json5), &opts, pack, &error), 0);
    return pack_span(pack);
}

static void read(const char *hooks, const char *agents, struct settings *settings)
{
    struct pack pack[2];

    *settings = (struct settings){ .agents_n = 0 };
    assert_int_equal(settings_read(settings, packed(hooks, &pack[0]), packed(agents, &pack[1])), 0);
    pack_deinit(&pack[0]);
    pack_deinit(&pack[1]);
}

static void agent_is(const struct settings *settings, const char *asked, const char *expected)
{
    char buf[AGENT_ID_MAX + 1];
    struct span agent = settings_agent(settings, span_from(asked), buf);

    assert_int_equal(agent.len, strlen(expected));
    assert_memory_equal(agent.len ? agent.ptr : "", expected, agent.len);
}

static void an_agent_that_nobody_knows_is_the_default_one(void **state)
{
    struct settings settings;

    (void)state;
    read("{}", "{list:[{id:'Ops'},{id:'main',default:true}]}", &settings);
    agent_is(&settings, "", "");
    agent_is(&settings, " OPS ", "ops");
    agent_is(&settings, "nosuch", "main");
    agent_is(&settings, "??", "main");
    settings_deinit(&settings);
    read("{}", "{}", &settings);
    agent_is(&settings, "x", "main");
    settings_deinit(&settings);
    read("{}", "{list:[{id:'a'},{id:'b'}]}", &settings);
    agent_is(&settings, "x", "a");
    settings_deinit(&settings);
}

static void an_agent_must_be_allowed_to_be_named(void **state)
{
    struct settings settings;

    (void)state;
    read("{allowedAgentIds:['Ops']}", "{list:[{id:'main'},{id:'ops'}]}", &settings);
    assert_true(settings_agent_allows(&settings, SPAN_LIT("ops")));
    assert_true(settings_agent_allows(&settings, SPAN_LIT("")));
    assert_false(settings_agent_allows(&settings, SPAN_LIT("main")));
    assert_false(settings_agent_allows(&settings, SPAN_LIT("unknown"))); /* it means main */
    settings_deinit(&settings);
    read("{allowedAgentIds:[]}", "{}", &settings);
    assert_false(settings_agent_allows(&settings, SPAN_LIT("main")));
    settings_deinit(&settings);
    read("{allowedAgentIds:['x','*']}", "{}", &settings);
    assert_true(settings_agent_allows(&settings, SPAN_LIT("main")));
    settings_deinit(&settings);
}

static bool key_is(const struct settings *settings, enum settings_key_source source, const char *asked,
                   const char *agent, char key[SETTINGS_KEY_MAX])
{
    struct settings_key in = { .source = source, .asked = span_from(asked), .fresh = "hook:new" };
    struct text_buf why = { 0 };
    bool is_fine = settings_session_key(settings, &in, span_from(agent), key, &why);

    assert_int_equal(why.len > 0, !is_fine);
    text_buf_deinit(&why);
    return is_fine;
}

static void a_session_key_of_a_stranger_counts_where_the_config_says_so(void **state)
{
    struct settings settings;
    char key[SETTINGS_KEY_MAX];

    (void)state;
    read("{defaultSessionKey:'hook:in'}", "{}", &settings);
    assert_true(key_is(&settings, SETTINGS_KEY_OF_SENDER, " ", "main", key));
    assert_string_equal(key, "hook:in");
    assert_false(key_is(&settings, SETTINGS_KEY_OF_SENDER, "x", "main", key));
    assert_true(key_is(&settings, SETTINGS_KEY_OF_CONFIG, "x", "main", key));
    assert_string_equal(key, "x");
    settings_deinit(&settings);
    read("{allowRequestSessionKey:true,allowedSessionKeyPrefixes:['hook:',' Agent:ops:']}", "{}", &settings);
    assert_true(key_is(&settings, SETTINGS_KEY_OF_SENDER, "", "main", key));
    assert_string_equal(key, "hook:new");
    assert_true(key_is(&settings, SETTINGS_KEY_OF_SENDER, "HOOK:a", "main", key));
    assert_false(key_is(&settings, SETTINGS_KEY_OF_SENDER, "main", "main", key));
    assert_false(key_is(&settings, SETTINGS_KEY_OF_CONFIG, "main", "main", key));
    assert_true(key_is(&settings, SETTINGS_KEY_OF_SENDER, "agent:OPS:x:y", "ops", key));
    assert_string_equal(key, "agent:ops:x:y");
    assert_false(key_is(&settings, SETTINGS_KEY_OF_SENDER, "agent:ops:x", "main", key)); /* it would be main's */
    assert_false(key_is(&settings, SETTINGS_KEY_OF_SENDER, "hook:\t", "main", key) && key[5] == '\t');
    assert_false(key_is(&settings, SETTINGS_KEY_OF_SENDER, "hook:\x01x", "main", key));
    settings_deinit(&settings);
}

static void a_full_key_names_its_agent(void **state)
{
    static const struct {
        const char *key;
        size_t len;
    } rows[] = { { "agent:a:b", 1 }, { "Agent:ops:x:y", 3 }, { "agent::x", 0 }, { "agent:a:", 0 },
                 { "agent:a", 0 },   { "hook:a:b", 0 },      { "", 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(settings_key_agent(span_from(rows[i].key)).len, rows[i].len);
    }
}

static void on_problem(void *arg, const char *problem)
{
    char(*told)[1024] = arg;
    size_t len = strlen(*told);

    (void)snprintf(*told + len, sizeof(*told) - len, "%s\n", problem);
}

static void holds(const char *hooks, const char *expected)
{
    char told[1024] = "";
    struct pack pack;

    hooks_config_check(packed(hooks, &pack), on_problem, &told);
    assert_int_equal(told[0] == '\0', expected == NULL);
    assert_true(!expected || strstr(told, expected));
    pack_deinit(&pack);
}

static void a_config_that_could_not_hold_is_told(void **state)
{
    (void)state;
    holds("{}", NULL);
    holds("{path:'/'}", NULL); /* switched off */
    holds("{enabled:true}", "hooks.token");
    holds("{enabled:true,token:'  '}", "hooks.token");
    holds("{enabled:true,token:'x'}", NULL);
    holds("{enabled:true,token:'x',path:'//'}", "hooks.path");
    holds("{enabled:true,token:'x',path:'a b'}", "hooks.path");
    holds("{enabled:true,token:'x',path:'in?'}", "hooks.path");
    holds("{enabled:true,token:'x',allowedSessionKeyPrefixes:['a']}", "leaves out");
    holds("{enabled:true,token:'x',allowedSessionKeyPrefixes:[' ']}", NULL);
    holds("{enabled:true,token:'x',allowedSessionKeyPrefixes:['a'],defaultSessionKey:'a:1'}", NULL);
    holds("{enabled:true,token:'x',allowedSessionKeyPrefixes:['a'],defaultSessionKey:'b:1'}", "defaultSessionKey");
    holds("{enabled:true,token:'x',presets:['gmail']}", "allowedSessionKeyPrefixes");
    holds("{enabled:true,token:'x',mappings:[{sessionKey:'a{{b}}'}]}", "allowedSessionKeyPrefixes");
    holds("{enabled:true,token:'x',mappings:[{sessionKey:'a{{}}'}]}", NULL);
    holds("{enabled:true,token:'x',mappings:[{action:'wake',sessionKey:'a{{b}}'}]}", NULL);
    holds("{enabled:true,token:'x',mappings:[{},{sessionKey:'a{{b}}'}]}", NULL); /* nothing gets there */
    holds("{enabled:true,token:'x',mappings:[{match:{path:'/p/'}},{match:{path:'p'},sessionKey:'a{{b}}'}]}", NULL);
    holds("{enabled:true,token:'x',mappings:[{match:{path:'q'}},{match:{path:'p'},sessionKey:'a{{b}}'}]}", "Prefixes");
}

static void a_module_has_a_plain_name(void **state)
{
    static const char *const fine[] = { "a.mjs", " a.mjs ", "sub/a.mjs", "./a.mjs", "a/..b/c.mjs", "a..mjs" };
    static const char *const wrong[] = { "",           " ",        "/a.mjs", "~/a.mjs", "..",    "../a.mjs",
                                         "a/../b.mjs", "a\\..\\b", "c:a",    "a/..",    "file:a" };

    (void)state;
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        assert_true(hooks_is_module(span_from(fine[i])));
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(hooks_is_module(span_from(wrong[i])));
    }
    assert_false(hooks_is_module((struct span){ "a\0b", 3 }));
    holds("{enabled:true,token:'x',mappings:[{},{transform:{module:'../x'}}]}", "hooks.mappings[1].transform.module");
    holds("{enabled:true,token:'x',mappings:[{transform:{module:'x.mjs'}}]}", NULL);
    holds("{mappings:[{transform:{module:'../x'}}]}", NULL); /* switched off */
}

static void where_hooks_come_in(void **state)
{
    struct hooks_entry entry;
    struct pack pack;

    (void)state;
    hooks_entry_read((struct span){ 0 }, &entry);
    assert_false(entry.is_on);
    hooks_entry_read(packed("{enabled:true,path:' in/here// ',maxBodyBytes:99999999999}", &pack), &entry);
    assert_true(entry.is_on);
    assert_string_equal(entry.path, "/in/here");
    assert_int_equal(entry.body_max, HOOKS_BODY_MAX);
    pack_deinit(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_that_nobody_knows_is_the_default_one),
        cmocka_unit_test(an_agent_must_be_allowed_to_be_named),
        cmocka_unit_test(a_session_key_of_a_stranger_counts_where_the_config_says_so),
        cmocka_unit_test(a_full_key_names_its_agent),
        cmocka_unit_test(a_config_that_could_not_hold_is_told),
        cmocka_unit_test(a_module_has_a_plain_name),
        cmocka_unit_test(where_hooks_come_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
