#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/health/report.h"
#include "bus/json.h"
#include "bus/value.h"

#define NOW 5000
#define NOTHING ((struct span){ 0 })
#define WELL SPAN_LIT("")

static struct pack packed(const char *json5)
{
    struct pack pack;
    struct json_error error;

    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(span_from(json5), &(struct json_opts){ .json5 = true }, &pack, &error), 0);
    return pack;
}

static void roster(struct facts *self, const char *json5)
{
    struct pack pack = packed(json5);

    assert_int_equal(facts_agents_set(self, pack_span(&pack)), 0);
    pack_deinit(&pack);
}

static void answer(struct facts_answer *to, const char *json5)
{
    struct pack pack = packed(json5);

    facts_answer_set(to, pack_span(&pack), NOW);
    pack_deinit(&pack);
}

/* A gateway with everything in place. */
static int start(void **state)
{
    static const char *const ready[] = { "config", "auth", "router", "health", "log", "edge/0", "agent/main" };
    struct facts *self = calloc(1, sizeof(*self));

    *state = self;
    facts_init(self);
    for (size_t i = 0; i < sizeof(ready) / sizeof(ready[0]); i++) {
        facts_life_set(self, span_from(ready[i]), FACTS_LIFE_READY, WELL, NOW);
    }
    roster(self, "{default_id:'main',main_key:'main',main_session_key:'agent:main:main',scope:'per-sender',"
                 "agents:[{id:'main',is_default:true},{id:'work',is_default:false,name:'Worker'}]}");
    facts_life_set(self, SPAN_LIT("agent/work"), FACTS_LIFE_READY, WELL, NOW);
    return 0;
}

static int stop(void **state)
{
    facts_deinit(*state);
    free(*state);
    return 0;
}

static bool judged(const struct facts *self, const char *why)
{
    struct facts_verdict verdict;

    facts_judge(self, &verdict);
    if (!why) {
        assert_string_equal(verdict.why, "");
    } else if (!strstr(verdict.why, why)) {
        fail_msg("\"%s\" is not in \"%s\"", why, verdict.why);
    }
    return verdict.is_ok;
}

static void all_is_well_when_all_are_ready(void **state)
{
    assert_true(judged(*state, NULL));
}

static void each_needed_actor_is_missed(void **state)
{
    static const char *const needed[] = { "config", "auth", "router", "edge/0", "agent/main" };
    struct facts *self = *state;

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        for (enum facts_life life = FACTS_LIFE_STARTING; life <= FACTS_LIFE_GAVE_UP; life++) {
            if (life != FACTS_LIFE_READY) {
                facts_life_set(self, span_from(needed[i]), life, WELL, NOW);
                assert_false(judged(self, needed[i]));
                assert_false(judged(self, facts_life_name(life)));
            }
        }
        facts_life_set(self, span_from(needed[i]), FACTS_LIFE_READY, WELL, NOW);
        assert_true(judged(self, NULL));
    }
}

static void what_was_never_there_is_missed_too(void **state)
{
    struct facts *self = *state;

    facts_life_set(self, SPAN_LIT("router"), FACTS_LIFE_STOPPED, WELL, NOW);
    assert_false(judged(self, "router is absent"));
}

static void a_host_that_was_denied_or_has_ended_stays_with_its_reason(void **state)
{
    struct facts *self = *state;
    const struct span host = SPAN_LIT("host/agents");

    facts_life_set(self, host, FACTS_LIFE_READY, WELL, NOW);
    assert_true(facts_life_set(self, host, FACTS_LIFE_STOPPED, SPAN_LIT("its key was denied"), NOW));
    assert_true(judged(self, "host/agents is stopped: its key was denied"));
    assert_true(facts_life_set(self, host, FACTS_LIFE_READY, WELL, NOW));
    assert_true(judged(self, NULL));
    assert_true(facts_life_set(self, host, FACTS_LIFE_STOPPED, WELL, NOW));
    assert_true(judged(self, NULL));
}

static void an_actor_whose_host_is_not_there_stays_with_its_reason(void **state)
{
    struct facts *self = *state;
    const struct span agent = SPAN_LIT("agent/work");

    assert_true(facts_life_set(self, agent, FACTS_LIFE_STOPPED, SPAN_LIT("host far: it has ended in order"), NOW));
    assert_true(judged(self, "agent/work is stopped: host far: it has ended in order"));
    assert_true(facts_life_set(self, agent, FACTS_LIFE_ABSENT, SPAN_LIT("host far: it has not joined"), NOW));
    assert_true(judged(self, "agent/work is absent: host far: it has not joined"));
    assert_true(facts_life_set(self, agent, FACTS_LIFE_ABSENT, WELL, NOW)); /* the config has it no longer */
    assert_true(judged(self, NULL));
}

static void others_that_are_down_are_named_and_that_is_all(void **state)
{
    struct facts *self = *state;

    facts_life_set(self, SPAN_LIT("log"), FACTS_LIFE_BACKOFF, WELL, NOW);
    assert_true(judged(self, "log is backoff"));
    facts_life_set(self, SPAN_LIT("agent/work"), FACTS_LIFE_GAVE_UP, WELL, NOW);
    assert_true(judged(self, "agent/work is gave_up"));
}

static void the_reason_is_told_until_it_is_over(void **state)
{
    struct facts *self = *state;
    struct span auth = SPAN_LIT("auth");

    assert_true(facts_life_set(self, auth, FACTS_LIFE_BACKOFF, SPAN_LIT("auth.sqlite: damaged"), NOW));
    assert_false(judged(self, "auth is backoff: auth.sqlite: damaged"));
    assert_true(facts_life_set(self, auth, FACTS_LIFE_STARTING, WELL, NOW));
    assert_false(judged(self, "auth is starting: auth.sqlite: damaged"));
    assert_true(facts_life_set(self, auth, FACTS_LIFE_READY, WELL, NOW));
    assert_true(judged(self, NULL));
}

static void what_a_running_actor_says_of_itself_is_told(void **state)
{
    struct facts *self = *state;
    struct span log = SPAN_LIT("log");

    assert_true(facts_life_set(self, log, FACTS_LIFE_READY, SPAN_LIT("cannot write"), NOW));
    assert_false(facts_life_set(self, log, FACTS_LIFE_READY, SPAN_LIT("cannot write"), NOW));
    assert_true(judged(self, "log: cannot write"));
    assert_true(facts_life_set(self, log, FACTS_LIFE_READY, WELL, NOW));
    assert_true(judged(self, NULL));
}

static void nothing_is_ok_before_the_agents_are_known(void **state)
{
    struct facts self;

    (void)state;
    facts_init(&self);
    facts_life_set(&self, SPAN_LIT("config"), FACTS_LIFE_READY, WELL, NOW);
    facts_life_set(&self, SPAN_LIT("auth"), FACTS_LIFE_READY, WELL, NOW);
    facts_life_set(&self, SPAN_LIT("router"), FACTS_LIFE_READY, WELL, NOW);
    facts_life_set(&self, SPAN_LIT("agent/main"), FACTS_LIFE_READY, WELL, NOW);
    assert_false(judged(&self, "not known yet"));
    facts_deinit(&self);
}

static void crashes_are_counted_and_orderly_ends_are_not(void **state)
{
    struct facts *self = *state;
    struct span log = SPAN_LIT("log");

    assert_false(facts_life_set(self, log, FACTS_LIFE_READY, WELL, NOW)); /* nothing new */
    assert_true(facts_life_set(self, log, FACTS_LIFE_BACKOFF, WELL, NOW));
    assert_true(facts_life_set(self, log, FACTS_LIFE_STARTING, WELL, NOW));
    assert_true(facts_life_set(self, log, FACTS_LIFE_READY, WELL, NOW + 9));
    assert_int_equal(self->actors[4].restarts_n, 1);
    assert_int_equal(self->actors[4].since_ms, NOW + 9);
    assert_true(facts_life_set(self, log, FACTS_LIFE_STOPPED, WELL, NOW));
    assert_false(facts_life_set(self, log, FACTS_LIFE_ABSENT, WELL, NOW));
    assert_true(judged(self, NULL));
}

static void addresses_beyond_the_limits_are_left_out(void **state)
{
    struct facts *self = *state;
    char address[FACTS_ADDRESS_MAX + 10];

    memset(address, 'x', sizeof(address));
    assert_false(facts_life_set(self, (struct span){ address, sizeof(address) }, FACTS_LIFE_READY, WELL, NOW));
    assert_null(facts_channel(self, (struct span){ address, sizeof(address) }));
    for (int i = 0; i < FACTS_ACTORS_MAX + 10; i++) {
        snprintf(address, sizeof(address), "channel/x/%d", i);
        facts_life_set(self, span_from(address), FACTS_LIFE_READY, WELL, NOW);
        (void)facts_channel(self, span_from(address));
    }
    assert_int_equal(self->actors_n, FACTS_ACTORS_MAX);
    assert_int_equal(self->channels_n, FACTS_CHANNELS_MAX);
}

static void what_is_known_of_an_agent_outlives_a_new_list(void **state)
{
    struct facts *self = *state;

    answer(&self->agents[1].sessions, "{total:3,rows:[],path:'/p'}");
    roster(self, "{default_id:'work',main_key:'m',main_session_key:'k',scope:'global',"
                 "agents:[{id:'work',is_default:true},{id:'new'}]}");
    assert_int_equal(self->agents_n, 2);
    assert_int_equal(value_i64(value_get(facts_answer_span(&self->agents[0].sessions), "total"), 0), 3);
    assert_null(self->agents[1].sessions.bytes);
    assert_true(self->is_global);
    assert_string_equal(self->default_agent, "work");
}

static void an_agent_that_cannot_write_or_does_not_answer_is_named(void **state)
{
    struct facts *self = *state;

    answer(&self->agents[0].state, "{store_error:'disk full'}");
    assert_false(judged(self, "agent/main cannot write: disk full"));
    facts_answer_fail(&self->agents[0].state, NOTHING);
    assert_true(judged(self, "agent/main did not answer: no answer"));
    answer(&self->agents[0].state, "{store_error:''}");
    assert_true(judged(self, NULL));
}

static void a_channel_that_is_not_up_is_named(void **state)
{
    struct facts *self = *state;
    struct facts_channel *channel = facts_channel(self, SPAN_LIT("channel/webchat"));

    assert_ptr_equal(facts_channel(self, SPAN_LIT("channel/webchat")), channel);
    assert_true(judged(self, NULL)); /* not asked yet */
    answer(&channel->state, "{channel:'webchat',account:'default',state:'connecting',is_enabled:true}");
    assert_true(judged(self, "channel/webchat is connecting"));
    answer(&channel->state, "{state:'stopped',is_enabled:false}");
    assert_true(judged(self, NULL));
    answer(&channel->state, "{state:'up',is_enabled:true,unknown_n:2,dead_n:1}");
    assert_true(judged(self, "2 messages of unknown fate, 1 given up"));
    facts_channel_drop(self, SPAN_LIT("channel/webchat"));
    assert_true(judged(self, NULL));
}

static void a_list_of_complaints_has_a_limit(void **state)
{
    struct facts *self = *state;
    struct facts_verdict verdict;
    char address[64];

    for (int i = 0; i < 200; i++) {
        snprintf(address, sizeof(address), "channel/some-network/account-%d", i);
        facts_life_set(self, span_from(address), FACTS_LIFE_BACKOFF, WELL, NOW);
    }
    facts_judge(self, &verdict);
    assert_true(strlen(verdict.why) < sizeof(verdict.why));
    assert_true(verdict.is_ok);
}

static void the_digest_follows_what_a_watcher_must_hear_of(void **state)
{
    struct facts *self = *state;
    struct facts_verdict verdict;
    uint64_t digest;

    facts_judge(self, &verdict);
    digest = report_digest(self, &verdict);
    answer(&self->agents[0].sessions, "{total:1,rows:[{key:'k',updatedAt:1}],path:'/p'}");
    assert_int_equal(report_digest(self, &verdict), digest);
    facts_life_set(self, SPAN_LIT("log"), FACTS_LIFE_BACKOFF, WELL, NOW);
    facts_judge(self, &verdict);
    assert_int_not_equal(report_digest(self, &verdict), digest);
}

static void the_reports_are_whole_with_all_and_with_nothing_known(void **state)
{
    struct facts *self = *state;
    struct facts empty;
    struct facts_verdict verdict;
    const struct facts *both[2] = { self, &empty };

    facts_init(&empty);
    answer(&self->agents[0].sessions,
           "{total:2,path:'/p',defaults:{model:'echo',contextTokens:100},rows:["
           "{key:'agent:main:a',updatedAt:4000,totalTokens:25,contextTokens:100,sessionId:'s'},"
           "{key:'agent:main:b',updatedAt:1000}]}");
    answer(&self->agents[1].sessions, "{total:1,path:'/q',rows:[{key:'agent:work:c',updatedAt:2000}]}");
    answer(&facts_channel(self, SPAN_LIT("channel/webchat"))->state,
           "{channel:'webchat',account:'default',label:'WebChat',state:'up',is_enabled:true}");
    for (int i = 0; i < 2; i++) {
        struct report_input in = { .facts = both[i], .verdict = &verdict, .now_ms = NOW };
        struct pack pack;

        facts_judge(both[i], &verdict);
        pack_init(&pack, 0);
        report_health(&in, &pack);
        assert_true(wire_check(pack_span(&pack).ptr, pack_span(&pack).len, 16));
        assert_int_equal(pack_error(&pack), 0);
        assert_int_equal(value_bool(value_get(pack_span(&pack), "ok"), i == 1), i == 0 && verdict.is_ok);
        pack_reset(&pack);
        report_channels(&in, &pack);
        assert_true(wire_check(pack_span(&pack).ptr, pack_span(&pack).len, 16));
        pack_reset(&pack);
        report_status(&in, true, &pack);
        assert_true(wire_check(pack_span(&pack).ptr, pack_span(&pack).len, 16));
        if (i == 0) {
            struct span recent = value_path(pack_span(&pack), "sessions.recent");
            struct value_iter it = value_iter(recent);
            struct span key;
            struct span row;

            assert_int_equal(value_count(recent), 3);
            assert_true(value_next(&it, &key, &row));
            assert_int_equal(value_i64(value_get(row, "percentUsed"), 0), 25);
            assert_int_equal(value_i64(value_get(row, "age"), 0), 1000);
            assert_true(value_next(&it, &key, &row));
            assert_true(span_is_text(value_str(value_get(row, "key"), NOTHING), "agent:work:c"));
        }
        pack_deinit(&pack);
    }
    facts_deinit(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_is_well_when_all_are_ready, start, stop),
        cmocka_unit_test_setup_teardown(each_needed_actor_is_missed, start, stop),
        cmocka_unit_test_setup_teardown(what_was_never_there_is_missed_too, start, stop),
        cmocka_unit_test_setup_teardown(the_reason_is_told_until_it_is_over, start, stop),
        cmocka_unit_test_setup_teardown(what_a_running_actor_says_of_itself_is_told, start, stop),
        cmocka_unit_test_setup_teardown(a_host_that_was_denied_or_has_ended_stays_with_its_reason, start, stop),
        cmocka_unit_test_setup_teardown(an_actor_whose_host_is_not_there_stays_with_its_reason, start, stop),
        cmocka_unit_test_setup_teardown(others_that_are_down_are_named_and_that_is_all, start, stop),
        cmocka_unit_test(nothing_is_ok_before_the_agents_are_known),
        cmocka_unit_test_setup_teardown(crashes_are_counted_and_orderly_ends_are_not, start, stop),
        cmocka_unit_test_setup_teardown(addresses_beyond_the_limits_are_left_out, start, stop),
        cmocka_unit_test_setup_teardown(what_is_known_of_an_agent_outlives_a_new_list, start, stop),
        cmocka_unit_test_setup_teardown(an_agent_that_cannot_write_or_does_not_answer_is_named, start, stop),
        cmocka_unit_test_setup_teardown(a_channel_that_is_not_up_is_named, start, stop),
        cmocka_unit_test_setup_teardown(a_list_of_complaints_has_a_limit, start, stop),
        cmocka_unit_test_setup_teardown(the_digest_follows_what_a_watcher_must_hear_of, start, stop),
        cmocka_unit_test_setup_teardown(the_reports_are_whole_with_all_and_with_nothing_known, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
