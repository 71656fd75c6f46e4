#include "tests/unit/config/support.h"

#include <stdio.h>

#include "bus/value.h"
#include "schema/base/config_shape.h"

struct told {
    char text[4096];
};

static void on_issue(void *arg, const struct config_shape_issue *issue)
{
    struct told *told = arg;
    size_t len = strlen(told->text);
    char place[256];

    config_shape_place(issue->steps, issue->steps_n, true, place, sizeof(place));
    snprintf(told->text + len, sizeof(told->text) - len, "%s: %s\n", place, issue->message);
}

static void assert_told(const char *json, const char *expected)
{
    struct told told = { "" };
    struct pack doc;

    pack_init(&doc, 0);
    json_pack(json, &doc);
    int r = config_shape_check(pack_span(&doc), on_issue, &told);
    assert_string_equal(told.text, expected);
    assert_int_equal(r, *expected ? CONFIG_SHAPE_E_REFUSED : 0);
    pack_deinit(&doc);
}

static void accepts_what_the_protocol_knows(void **state)
{
    (void)state;
    assert_told("{}", "");
    assert_told("{$schema:'x',gateway:{mode:'local',port:1,bind:'lan',auth:{mode:'token',token:'x'}},"
                "models:{mode:'merge',providers:{p:{baseUrl:'http://x',apiKey:{source:'env',provider:'default',"
                "id:'KEY'},api:'openai-completions',models:[{id:'m',name:'M',reasoning:false,input:['text'],"
                "cost:{input:0,output:0.5,cacheRead:0,cacheWrite:0},contextWindow:1,maxTokens:1}]}}},"
                "agents:{defaults:{model:{primary:'p/m'},workspace:'/w',skipBootstrap:true},list:[{id:'main'}]},"
                "channels:{telegram:{whatever:[1,{x:null}]}},logging:{level:'info'},"
                "meta:{lastTouchedVersion:'1',lastTouchedAt:'2'}}",
                "");
}

static void names_unknown_keys_and_the_nearest_known_one(void **state)
{
    (void)state;
    assert_told("{gateway:{prot:1,zzzzzzzzzz:2}}",
                "gateway: Unrecognized key: \"prot\"; the nearest known key is \"port\"\n"
                "gateway: Unrecognized key: \"zzzzzzzzzz\"\n");
    assert_told("{agent:{}}", ": Unrecognized key: \"agent\"; the nearest known key is \"agents\"\n");
    assert_told("{agents:{list:[{id:'a'},{id:'b',modle:'x'}]}}",
                "agents.list.1: Unrecognized key: \"modle\"; the nearest known key is \"model\"\n");
}

static void tells_wrong_kinds_words_and_limits_as_clients_know_them(void **state)
{
    (void)state;
    assert_told("{gateway:{mode:'bogus'}}", "gateway.mode: Invalid input (allowed: \"local\", \"remote\")\n");
    assert_told("{gateway:{port:'abc'}}", "gateway.port: Invalid input: expected number, received string\n");
    assert_told("{gateway:{port:1.5}}", "gateway.port: Invalid input: expected int, received number\n");
    assert_told("{gateway:{port:0}}", "gateway.port: Too small: expected number to be >=1\n");
    assert_told("{gateway:[]}", "gateway: Invalid input: expected object, received array\n");
    assert_told("{agents:{list:[{}]}}", "agents.list.0.id: Invalid input: expected string, received undefined\n");
    assert_told("{channels:[]}", "channels: Invalid input: expected object, received array\n");
    assert_told("{gateway:{auth:{token:7}}}", "gateway.auth.token: Invalid input\n");
    assert_told("{gateway:{http:{securityHeaders:{strictTransportSecurity:true}}}}",
                "gateway.http.securityHeaders.strictTransportSecurity: Invalid input\n");
}

static void on_section(void *arg, const struct config_section *section)
{
    struct told *told = arg;
    size_t len = strlen(told->text);

    snprintf(told->text + len, sizeof(told->text) - len, "%s=%s;", section->name, section->later);
}

static void knows_the_sections_that_nobody_serves(void **state)
{
    struct told told = { "" };
    struct pack doc;

    (void)state;
    pack_init(&doc, 0);
    json_pack("{gateway:{},channels:{},auth:{},talk:{},x:1}", &doc);
    config_shape_unserved(pack_span(&doc), on_section, &told);
    assert_string_equal(told.text, "channels=channels;talk=talk;");
    pack_deinit(&doc);
}

static void finds_the_shape_of_a_path(void **state)
{
    static const char *const there[] = {
        "gateway",
        "gateway.auth.token",
        "gateway.auth.token.id",
        "agents.list[].id",
        "agents.list.0.id",
        "agents.list[0]",
        "agents.list.*.model.primary",
        "models.providers.*.apiKey",
        "models.providers.any.models[]",
    };
    static const char *const absent[] = { "", "nope.nope", "gateway.auth.nope", "gateway.port.x", "agents.list.x" };
    bool is_required = false;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(there); i++) {
        assert_non_null(config_shape_find(span_from(there[i]), NULL));
    }
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        assert_null(config_shape_find(span_from(absent[i]), NULL));
    }
    assert_non_null(config_shape_find(SPAN_LIT("agents.list[].id"), &is_required));
    assert_true(is_required);
}

static void shows_itself_as_json_schema(void **state)
{
    struct pack out;

    (void)state;
    pack_init(&out, 0);
    config_shape_root_pack(&out);
    assert_int_equal(pack_error(&out), 0);
    assert_json(value_path(pack_span(&out), "properties.gateway.properties.mode"),
                "{\"type\":\"string\",\"enum\":[\"local\",\"remote\"]}");
    assert_json(value_path(pack_span(&out), "additionalProperties"), "false");
    pack_reset(&out);
    config_shape_schema_pack(config_shape_find(SPAN_LIT("gateway.auth"), NULL), true, &out);
    assert_json(pack_span(&out), "{\"type\":\"object\",\"additionalProperties\":false}");
    pack_reset(&out);
    config_shape_hint_pack(SPAN_LIT("gateway.auth.token"), config_shape_find(SPAN_LIT("gateway.auth.token"), NULL),
                           &out);
    assert_json(pack_span(&out), "{\"label\":\"Gateway Auth Token\",\"sensitive\":true}");
    pack_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_the_protocol_knows),
        cmocka_unit_test(names_unknown_keys_and_the_nearest_known_one),
        cmocka_unit_test(tells_wrong_kinds_words_and_limits_as_clients_know_them),
        cmocka_unit_test(knows_the_sections_that_nobody_serves),
        cmocka_unit_test(finds_the_shape_of_a_path),
        cmocka_unit_test(shows_itself_as_json_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
