/*
 * config_check: what the gateway reads is checked, and the answer helps.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>

#include "schema/base/config_check.h"

struct verdict {
    unsigned n;
    char text[4096]; /* a line for each */
};

static void on_problem(void *arg, const char *place, const char *text)
{
    struct verdict *verdict = arg;
    size_t len = strlen(verdict->text);

    assert_memory_equal(text, place, strlen(place));
    assert_int_equal(text[strlen(place)], ' ');
    (void)snprintf(verdict->text + len, sizeof(verdict->text) - len, "%s\n", text);
}

static struct verdict check(const char *json)
{
    struct verdict verdict = { 0 };
    CLEANUP(pack_deinit) struct pack doc;

    pack_init(&doc, 0);
    json_pack(json, &doc);
    verdict.n = config_check(pack_span(&doc), on_problem, &verdict);
    return verdict;
}

static void passes_what_is_right(void **state)
{
    static const char *const good[] = {
        "{}",
        "{gateway:{mode:'local',port:18789,bind:'lan',auth:{mode:'token',token:{source:'env',provider:'default',"
        "id:'X'},rateLimit:{maxAttempts:3,exemptLoopback:false}}}}",
        "{models:{providers:{a:{baseUrl:'https://x/v1',models:[{id:'m',name:'M',input:['text']}]},"
        "b:{api:'anthropic-messages'}}}}",
        "{agents:{defaults:{model:{primary:'builtin/echo',fallbacks:[]},models:{'a/b':{alias:'x'}}},"
        "list:[{id:'main'},{id:'Work 2',model:'a/m',identity:{name:'W'}}]}}",
        "{logging:{level:'silent',file:'~/x.log',maxFileBytes:1000},session:{scope:'global',mainKey:'m'}}",
        "{unheard:{of:[1,2,3]},plugins:7}",
        "{agents:{defaults:{heartbeat:{every:'1h30m',activeHours:{start:'22:00',end:'24:00'}}},list:[{id:'a',"
        "heartbeat:{every:'0'}}]},channels:{defaults:{heartbeat:{showOk:true}},x:{accounts:{a:{heartbeat:{}}}}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct verdict verdict = check(good[i]);

        assert_string_equal(verdict.text, "");
        assert_int_equal(verdict.n, 0);
    }
    assert_int_equal(config_check((struct span){ 0 }, on_problem, NULL), 0);
}

static void names_path_finding_expectation_and_the_nearest_value(void **state)
{
    static const struct {
        const char *json;
        const char *says;
    } bad[] = {
        { "{agents:{defaults:{heartbeat:{every:'often'}}}}",
          "agents.defaults.heartbeat.every is \"often\", expected a length of time like \"30m\"" },
        { "{agents:{list:[{id:'a',heartbeat:{activeHours:{start:'24:00',end:'x'}}}]}}",
          "agents.list.0.heartbeat.activeHours.start is \"24:00\", expected a time of day from \"00:00\" to \"23:59\"; "
          "the nearest is \"08:00\"" },
        { "{agents:{defaults:{heartbeat:{activeHours:{end:'24:01'}}}}}", "to \"24:00\"; the nearest is \"22:00\"" },
        { "{channels:{x:{heartbeat:{showOk:'no'}}}}",
          "channels.x.heartbeat.showOk is \"no\", expected true or false; the nearest is false" },
        { "{channels:{x:{accounts:{y:{heartbeat:7}}}}}", "channels.x.accounts.y.heartbeat is 7, expected an object" },
        { "{models:5}", "models is 5, expected an object; the nearest is {}" },
        { "{logging:{level:'loud'}}", "logging.level is \"loud\", expected one of " },
        { "{logging:{level:'wrn'}}", "the nearest is \"warn\"" },
        { "{logging:{level:'DEBUG'}}", "the nearest is \"debug\"" },
        { "{gateway:{port:'18789'}}",
          "gateway.port is \"18789\", expected a whole number from 1 to 65535; the nearest is 18789" },
        { "{gateway:{port:70000}}", "the nearest is 65535" },
        { "{gateway:{port:1.5}}", "gateway.port is 1.5, expected a whole number from 1 to 65535; the nearest is 1" },
        { "{gateway:{port:null}}", "gateway.port is null" },
        { "{gateway:{http:{endpoints:{chatCompletions:{enabled:'yes'}}}}}",
          "gateway.http.endpoints.chatCompletions.enabled is \"yes\", expected true or false; the nearest is true" },
        { "{gateway:{controlUi:{allowedOrigins:['a',7]}}}",
          "gateway.controlUi.allowedOrigins.1 is 7, expected a text" },
        { "{agents:{list:{id:'main'}}}", "agents.list is an object, expected a list" },
        { "{agents:{list:[{name:'x'}]}}", "agents.list.0.id is missing" },
        { "{agents:{list:[{id:'a'},{id:'A'}]}}",
          "agents.list.1.id is \"A\", which means \"a\", and so does agents.list.0.id" },
        { "{agents:{list:[{id:'My Agent'},{id:'my-agent'}]}}", "the nearest is \"my-agent-2\"" },
        { "{agents:{list:[{id:'!!'}]}}", "agents.list.0.id is \"!!\", expected 1 to 64 letters" },
        { "{agents:{list:[{id:''}]}}", "agents.list.0.id is \"\"" },
        { "{agents:{defaults:{model:7}}}", "agents.defaults.model is 7, expected a text like \"provider/model\"" },
        { "{agents:{defaults:{maxConcurrent:0}}}", "the nearest is 1" },
        { "{models:{providers:{mine:{}}}}", "models.providers.mine.baseUrl is missing" },
        { "{models:{providers:{mine:{baseUrl:'api.x/v1'}}}}", "the nearest is \"https://api.x/v1\"" },
        { "{models:{providers:{mine:{baseUrl:'http://x',api:'openai'}}}}",
          "models.providers.mine.api is \"openai\", expected one of \"openai-completions\"" },
        { "{models:{providers:{builtin:{baseUrl:'http://x'}}}}", "models.providers.builtin" },
        { "{session:{scope:'globl'}}", "the nearest is \"global\"" },
        { "{gateway:{bind:'0.0.0.0'}}", "the nearest is \"lan\"" },
        { "{gateway:{bind:'*'}}", "the nearest is \"lan\"" },
        { "{gateway:{bind:'::'}}", "the nearest is \"lan\"" },
        { "{gateway:{bind:'127.0.0.1'}}", "the nearest is \"loopback\"" },
        { "{gateway:{bind:'LocalHost'}}", "the nearest is \"loopback\"" },
        { "{gateway:{bind:'::1'}}", "the nearest is \"loopback\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct verdict verdict = check(bad[i].json);

        assert_true(verdict.n >= 1);
        if (!strstr(verdict.text, bad[i].says)) {
            fail_msg("\"%s\" does not say \"%s\"", verdict.text, bad[i].says);
        }
    }
}

static void what_is_no_number_is_near_none(void **state)
{
    static const char *const values[] = { "'x'", "''", "'80a'", "'nan'", "'inf'", "true", "null", "{}", "[1]" };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char json[64];

        (void)snprintf(json, sizeof(json), "{gateway:{port:%s}}", values[i]);
        struct verdict verdict = check(json);

        assert_non_null(strstr(verdict.text, "expected a whole number from 1 to 65535"));
        assert_null(strstr(verdict.text, "nearest"));
    }
}

static void tells_everything_that_is_wrong(void **state)
{
    struct verdict verdict = check("{models:5,session:7,logging:{level:1},hooks:{enabled:true,path:'/'}}");

    (void)state;
    assert_int_equal(verdict.n, 5);
    assert_non_null(strstr(verdict.text, "models is 5"));
    assert_non_null(strstr(verdict.text, "session is 7"));
    assert_non_null(strstr(verdict.text, "logging.level is 1"));
    assert_non_null(strstr(verdict.text, "hooks.token is missing"));
    assert_non_null(strstr(verdict.text, "hooks.path is"));
}

static void quotes_no_secret(void **state)
{
    static const char *const bad[] = {
        "{gateway:{auth:{token:7777}}}",
        "{gateway:{auth:{password:['7777']}}}",
        "{hooks:{token:7777}}",
        "{env:{vars:{KEY:7777}}}",
        "{models:{providers:{a:{baseUrl:'http://x',apiKey:7777}}}}",
        "{models:{providers:{a:{baseUrl:'http://x',headers:{Authorization:7777}}}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct verdict verdict = check(bad[i]);

        assert_true(verdict.n >= 1);
        assert_null(strstr(verdict.text, "7777"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_what_is_right),
        cmocka_unit_test(names_path_finding_expectation_and_the_nearest_value),
        cmocka_unit_test(what_is_no_number_is_near_none),
        cmocka_unit_test(tells_everything_that_is_wrong),
        cmocka_unit_test(quotes_no_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
