#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/tools/policy.h"
#include "bus/json.h"
#include "bus/value.h"

struct rig {
    struct pack pack;
    struct policy policy;
};

static void open_with(struct rig *rig, const char *json5)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;
    struct span config;

    pack_init(&rig->pack, 0);
    assert_int_equal(json_to_pack(span_from(json5), &opts, &rig->pack, &error), 0);
    config = pack_span(&rig->pack);
    rig->policy = (struct policy){ .tools = value_get(config, "tools"),
                                   .agents = value_get(config, "agents"),
                                   .channels = value_get(config, "channels"),
                                   .gateway = value_path(config, "gateway.tools") };
}

static bool has(const struct rig *rig, const struct policy_subject *subject, const char *name)
{
    const struct tool *tool = catalog_find(span_from(name));

    assert_non_null(tool);
    return policy_allows(&rig->policy, subject, tool);
}

static const struct policy_subject plain = { .agent_id = { "main", 4 }, .session_key = { "agent:main:main", 15 } };

/* What stays of four tools: list, send, status, nodes. */
static void leaves(const char *json5, const struct policy_subject *subject, const char *expected)
{
    static const char *const names[] = { "sessions_list", "sessions_send", "session_status", "nodes" };
    char left[5] = "";
    struct rig rig;

    open_with(&rig, json5);
    for (size_t i = 0; i < 4; i++) {
        left[i] = has(&rig, subject, names[i]) ? "lstn"[i] : '-';
    }
    assert_string_equal(left, expected);
    pack_deinit(&rig.pack);
}

static void without_a_word_everything_is_allowed(void **state)
{
    (void)state;
    leaves("{}", &plain, "lstn");
    leaves("{tools:{allow:[]}}", &plain, "lstn");
    leaves("{tools:{profile:'full'}}", &plain, "lstn");
}

static void a_profile_is_what_it_names(void **state)
{
    (void)state;
    leaves("{tools:{profile:'minimal'}}", &plain, "--t-");
    leaves("{tools:{profile:'messaging'}}", &plain, "lst-");
    leaves("{tools:{profile:'minimal',alsoAllow:['nodes']}}", &plain, "--tn");
    leaves("{tools:{profile:'full'},agents:{list:[{id:'main',tools:{profile:'minimal'}}]}}", &plain, "--t-");
    leaves("{tools:{profile:'minimal',alsoAllow:['nodes']},agents:{list:[{id:'main',tools:{alsoAllow:['x']}}]}}",
           &plain, "--t-");
}

static void lists_take_away_one_after_the_other(void **state)
{
    (void)state;
    leaves("{tools:{deny:['SESSIONS_SEND ','nodes']}}", &plain, "l-t-");
    leaves("{tools:{allow:['session*']}}", &plain, "lst-");
    leaves("{tools:{allow:['*_send','no*']}}", &plain, "-s-n");
    leaves("{tools:{allow:['group:sessions'],deny:['sessions_send']}}", &plain, "l-t-");
    leaves("{tools:{allow:['nodes'],alsoAllow:['session_status']}}", &plain, "--tn");
    leaves("{tools:{alsoAllow:['x']}}", &plain, "lstn");
    leaves("{tools:{deny:['group:openclaw']}}", &plain, "----");
    leaves("{tools:{deny:['*']}}", &plain, "----");
    leaves("{tools:{allow:['sessions_list','nodes']},agents:{list:[{id:'Main',tools:{deny:['nodes']}}]}}", &plain,
           "l---");
    leaves("{agents:{list:[{id:'other',tools:{deny:['*']}}]}}", &plain, "lstn");
}

static void a_provider_may_have_less(void **state)
{
    struct policy_subject subject = plain;

    (void)state;
    subject.provider = SPAN_LIT("OpenAI");
    subject.model = SPAN_LIT("gpt-x");
    leaves("{tools:{byProvider:{openai:{deny:['nodes']}}}}", &plain, "lstn");
    leaves("{tools:{byProvider:{openai:{deny:['nodes']}}}}", &subject, "lst-");
    leaves("{tools:{byProvider:{openai:{deny:['nodes']},'openai/GPT-X':{profile:'minimal'}}}}", &subject, "--t-");
    leaves("{agents:{list:[{id:'main',tools:{byProvider:{'openai/other':{deny:['*']}}}}]}}", &subject, "lstn");
}

static void a_group_may_have_less(void **state)
{
    struct policy_subject group = { .agent_id = SPAN_LIT("main"),
                                    .session_key = SPAN_LIT("agent:main:tg:group:-12:topic:7") };

    (void)state;
    leaves("{channels:{tg:{groups:{'-12':{tools:{allow:['session_status']}}}}}}", &group, "--t-");
    leaves("{channels:{tg:{groups:{'*':{tools:{deny:['nodes']}}}}}}", &group, "lst-");
    leaves("{channels:{tg:{groups:{'*':{tools:{deny:['nodes']}},'-12:topic:7':{tools:{deny:['sessions_list']}}}}}}",
           &group, "-stn");
    leaves("{channels:{other:{groups:{'*':{tools:{deny:['nodes']}}}}}}", &group, "lstn");
    leaves("{channels:{tg:{groups:{'*':{tools:{deny:['nodes']}}}}}}", &plain, "lstn");
}

static void a_sub_agent_has_no_tools_of_the_system(void **state)
{
    struct policy_subject child = { .agent_id = SPAN_LIT("main"), .session_key = SPAN_LIT("agent:main:subagent:1") };

    (void)state;
    leaves("{}", &child, "---n");
    leaves("{tools:{subagents:{tools:{alsoAllow:['sessions_list']}}}}", &child, "l--n");
    leaves("{tools:{subagents:{tools:{deny:['nodes']}}}}", &child, "----");
}

static void programs_get_the_dangerous_ones_by_name_alone(void **state)
{
    struct rig rig;

    (void)state;
    open_with(&rig, "{gateway:{tools:{allow:['gateway'],deny:['sessions_list']}}}");
    assert_true(policy_gateway_allows(&rig.policy, catalog_find(SPAN_LIT("gateway"))));
    assert_true(policy_gateway_allows(&rig.policy, catalog_find(SPAN_LIT("session_status"))));
    assert_false(policy_gateway_allows(&rig.policy, catalog_find(SPAN_LIT("nodes"))));
    assert_false(policy_gateway_allows(&rig.policy, catalog_find(SPAN_LIT("sessions_send"))));
    assert_false(policy_gateway_allows(&rig.policy, catalog_find(SPAN_LIT("sessions_list"))));
    pack_deinit(&rig.pack);
}

static void agents_talk_where_the_config_lets_them(void **state)
{
    struct rig rig;

    (void)state;
    open_with(&rig, "{}");
    assert_true(policy_agents_talk(&rig.policy, SPAN_LIT("a"), SPAN_LIT("a")));
    assert_false(policy_agents_talk(&rig.policy, SPAN_LIT("a"), SPAN_LIT("b")));
    pack_deinit(&rig.pack);
    open_with(&rig, "{tools:{agentToAgent:{enabled:true,allow:['a','b*']}}}");
    assert_true(policy_agents_talk(&rig.policy, SPAN_LIT("a"), SPAN_LIT("bob")));
    assert_false(policy_agents_talk(&rig.policy, SPAN_LIT("a"), SPAN_LIT("c")));
    pack_deinit(&rig.pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_word_everything_is_allowed),
        cmocka_unit_test(a_profile_is_what_it_names),
        cmocka_unit_test(lists_take_away_one_after_the_other),
        cmocka_unit_test(a_provider_may_have_less),
        cmocka_unit_test(a_group_may_have_less),
        cmocka_unit_test(a_sub_agent_has_no_tools_of_the_system),
        cmocka_unit_test(programs_get_the_dangerous_ones_by_name_alone),
        cmocka_unit_test(agents_talk_where_the_config_lets_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
