#include "tests/unit/config/support.h"

#include <stdio.h>

#include "actors/config/diff.h"
#include "schema/base/config_merge.h"
#include "actors/config/models.h"
#include "schema/base/config_redact.h"
#include "actors/config/snapshot.h"
#include "actors/config/view.h"
#include "bus/value.h"

static const char *const env_token[] = { "OPENCLAW_GATEWAY_TOKEN=FROM-ENV", "KEY=SECRET-KEY", NULL };

static int build(struct snapshot *snapshot, const char *json, const char *const *env, struct config_error *error)
{
    struct snapshot_opts opts = { .path = "openclaw.json", .state_dir = "/state", .lookup = env_of(env) };
    struct text_buf text = { 0 };

    snapshot_init(snapshot);
    if (json) {
        assert_int_equal(text_buf_add(&text, span_from(json)), 0);
    }
    return snapshot_build(snapshot, &text, &opts, error);
}

static void lays_one_document_over_another(void **state)
{
    struct pack low;
    struct pack high;
    struct pack out;

    (void)state;
    pack_init(&low, 0);
    pack_init(&high, 0);
    pack_init(&out, 0);
    json_pack("{a:1,b:{c:2,d:[1,2]},e:{f:1}}", &low);
    json_pack("{b:{d:[3],x:null},e:5,y:{}}", &high);
    config_merge(pack_span(&low), pack_span(&high), &out);
    assert_json(pack_span(&out), "{\"a\":1,\"b\":{\"c\":2,\"d\":[3],\"x\":null},\"e\":5,\"y\":{}}");
    pack_deinit(&low);
    pack_deinit(&high);
    pack_deinit(&out);
}

static void names_the_paths_that_differ(void **state)
{
    struct pack a;
    struct pack b;
    struct pack out;

    (void)state;
    pack_init(&a, 0);
    pack_init(&b, 0);
    pack_init(&out, 0);
    json_pack("{a:1,b:{c:2,d:[1,2]},gone:1}", &a);
    json_pack("{a:1,b:{c:3,d:[1]},fresh:{x:1}}", &b);
    diff_pack(pack_span(&a), pack_span(&b), &out);
    assert_json(pack_span(&out), "[\"b.c\",\"b.d\",\"gone\",\"fresh\"]");
    pack_reset(&out);
    diff_leaves_pack(pack_span(&a), pack_span(&b), &out);
    assert_json(pack_span(&out), "[\"b.c\",\"b.d\",\"gone\",\"fresh.x\"]");
    pack_reset(&out);
    diff_pack(pack_span(&a), pack_span(&a), &out);
    assert_json(pack_span(&out), "[]");
    pack_deinit(&a);
    pack_deinit(&b);
    pack_deinit(&out);
}

static void says_everything_when_too_many_paths_differ(void **state)
{
    struct pack a;
    struct pack b;
    struct pack out;
    char key[16];

    (void)state;
    pack_init(&a, 0);
    pack_init(&b, 0);
    pack_init(&out, 0);
    json_pack("{}", &a);
    pack_map_begin(&b);
    for (int i = 0; i <= DIFF_PATHS_MAX; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        pack_kv_i64(&b, key, i);
    }
    pack_map_end(&b);
    diff_pack(pack_span(&a), pack_span(&b), &out);
    assert_json(pack_span(&out), "[\"\"]");
    pack_deinit(&a);
    pack_deinit(&b);
    pack_deinit(&out);
}

static void hides_secrets_and_nothing_else(void **state)
{
    struct pack in;
    struct pack out;

    (void)state;
    pack_init(&in, 0);
    pack_init(&out, 0);
    json_pack(
        "{gateway:{auth:{mode:'token',token:'T'}},m:{apiKey:'K',maxTokens:5,auth:'api-key'},env:{A:'x',vars:{B:'y'}},"
        "u:'https://bob:pw@h/x',v:'https://h/a@b:c',ref:{token:'${NAME}'},"
        "s:{password:{source:'env',provider:'default',id:'X'}},tokens:[1],botToken:['a']}",
        &in);
    assert_true(config_redact(pack_span(&in), &out));
    assert_json(pack_span(&out),
                "{\"gateway\":{\"auth\":{\"mode\":\"token\",\"token\":\"__OPENCLAW_REDACTED__\"}},\"m\":{\"apiKey\":"
                "\"__OPENCLAW_REDACTED__\",\"maxTokens\":5,\"auth\":\"api-key\"},\"env\":{\"A\":"
                "\"__OPENCLAW_REDACTED__\",\"vars\":{\"B\":\"__OPENCLAW_REDACTED__\"}},\"u\":"
                "\"__OPENCLAW_REDACTED__\",\"v\":\"https://h/a@b:c\",\"ref\":{\"token\":\"${NAME}\"},\"s\":{"
                "\"password\":{\"source\":\"env\",\"provider\":\"default\",\"id\":\"X\"}},\"tokens\":[1],\"botToken\":"
                "[\"__OPENCLAW_REDACTED__\"]}");
    json_pack("{gateway:{port:1}}", &in);
    pack_reset(&out);
    assert_false(config_redact(pack_span(&in), &out));
    pack_deinit(&in);
    pack_deinit(&out);
}

static void fills_in_what_a_config_does_not_say(void **state)
{
    struct config_error error = { 0 };
    struct snapshot snapshot;

    (void)state;
    assert_int_equal(build(&snapshot, "{gateway:{mode:'local',port:1}}", env_token, &error), 0);
    struct span doc = pack_span(&snapshot.effective);
    assert_int_equal(value_i64(value_path(doc, "gateway.port"), 0), 1);
    assert_true(span_is_text(value_str(value_path(doc, "gateway.auth.token"), SPAN_LIT("")), "FROM-ENV"));
    assert_true(span_is_text(value_str(value_path(doc, "gateway.bind"), SPAN_LIT("")), "loopback"));
    assert_int_equal(value_i64(value_path(doc, "agents.defaults.maxConcurrent"), 0), 4);
    assert_true(
        span_is_text(value_str(value_path(doc, "agents.defaults.workspace"), SPAN_LIT("")), "/state/workspace"));
    assert_true(
        span_is_text(value_str(value_path(doc, "agents.defaults.model.primary"), SPAN_LIT("")), "builtin/echo"));
    snapshot_deinit(&snapshot);
}

static void resolves_secrets_and_leaves_what_it_cannot(void **state)
{
    struct config_error error = { 0 };
    struct snapshot snapshot;

    (void)state;
    assert_int_equal(
        build(&snapshot,
              "{gateway:{mode:'local'},models:{providers:{a:{baseUrl:'http://a',models:[],apiKey:{source:'env',"
              "provider:'default',id:'KEY'}},b:{baseUrl:'http://b',models:[],apiKey:{source:'file',provider:'f',id:'/"
              "x'}}}}}",
              env_token, &error),
        0);
    struct span doc = pack_span(&snapshot.effective);
    assert_true(span_is_text(value_str(value_path(doc, "models.providers.a.apiKey"), SPAN_LIT("")), "SECRET-KEY"));
    assert_int_equal(value_kind_of(value_path(doc, "models.providers.b.apiKey")), VALUE_MAP);
    assert_json(pack_span(&snapshot.unresolved), "[\"models.providers.b.apiKey\"]");
    snapshot_deinit(&snapshot);
}

static void refuses_a_config_that_no_gateway_could_run_on(void **state)
{
    static const char *const bad[] = {
        "{",
        "[]",
        "{gateway:{mode:'local',port:'x'}}",
        "{gateway:{mode:'local',bind:'lan',auth:{mode:'none'}}}",
        "{gateway:{mode:'local'},x:'${NOT_SET}'}",
        "{gateway:{mode:'remote'}}",
    };
    struct snapshot snapshot;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct config_error error = { 0 };
        assert_int_equal(build(&snapshot, bad[i], env_token, &error), SNAPSHOT_E_REFUSED);
        assert_true(error.text[0] != '\0');
        snapshot_deinit(&snapshot);
    }
}

static void lists_the_models_of_providers_and_the_built_in_one(void **state)
{
    struct pack doc;
    struct pack out;

    (void)state;
    pack_init(&doc, 0);
    pack_init(&out, 0);
    json_pack(
        "{agents:{defaults:{model:{primary:'mock/mock-1'},models:{'mock/mock-1':{alias:'m'}}}},models:{providers:{mock:"
        "{models:[{id:'mock-1',name:'Mock One',contextWindow:128000,reasoning:false,input:['text']},{name:'no "
        "id'}]}}}}",
        &doc);
    models_list_pack(pack_span(&doc), &out);
    assert_json(pack_span(&out),
                "{\"models\":[{\"provider\":\"mock\",\"id\":\"mock-1\",\"name\":\"Mock One\",\"alias\":"
                "\"m\",\"contextWindow\":128000,\"reasoning\":false,\"input\":[\"text\"]}]}");
    pack_reset(&out);
    models_default_pack(pack_span(&doc), &out);
    assert_json(pack_span(&out), "{\"defaults\":{\"model\":{\"primary\":\"mock/mock-1\"}}}");
    json_pack("{models:{providers:{p:{models:[{id:'one'}]}}}}", &doc);
    pack_reset(&out);
    models_default_pack(pack_span(&doc), &out);
    assert_json(pack_span(&out), "{\"defaults\":{\"model\":{\"primary\":\"p/one\"}}}");
    json_pack("{agents:{defaults:{model:'builtin/echo'}}}", &doc);
    pack_reset(&out);
    models_list_pack(pack_span(&doc), &out);
    assert_int_equal(value_count(value_get(pack_span(&out), "models")), 1);
    pack_deinit(&doc);
    pack_deinit(&out);
}

static void shows_a_config_without_its_secrets(void **state)
{
    struct config_error error = { 0 };
    struct snapshot snapshot;
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct pack out;

    (void)state;
    pack_init(&out, 0);
    assert_int_equal(
        build(&snapshot, "{gateway:{mode:'local',auth:{token:'T-IN-FILE'}},ui:{a:'${KEY}'}}", env_token, &error), 0);
    view_pack(&snapshot, "/p/openclaw.json", "", (struct span){ 0 }, &out);
    assert_int_equal(pack_error(&out), 0);
    assert_int_equal(json_from_value(pack_span(&out), &text), 0);
    struct span shown = { text.data, text.len };
    assert_null(memmem(shown.ptr, shown.len, "T-IN-FILE", 9));
    assert_null(memmem(shown.ptr, shown.len, "FROM-ENV", 8));
    assert_int_equal(value_kind_of(value_get(pack_span(&out), "raw")), VALUE_NIL);
    assert_true(value_bool(value_get(pack_span(&out), "valid"), false));
    assert_true(span_is_text(value_str(value_get(pack_span(&out), "hash"), SPAN_LIT("")), snapshot.document.hash));
    pack_reset(&out);
    view_pack(&snapshot, "/p/openclaw.json", "line 3 is wrong", (struct span){ 0 }, &out);
    assert_false(value_bool(value_get(pack_span(&out), "valid"), true));
    assert_json(value_get(pack_span(&out), "issues"), "[{\"path\":\"\",\"message\":\"line 3 is wrong\"}]");
    snapshot_deinit(&snapshot);
    pack_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lays_one_document_over_another),
        cmocka_unit_test(names_the_paths_that_differ),
        cmocka_unit_test(says_everything_when_too_many_paths_differ),
        cmocka_unit_test(hides_secrets_and_nothing_else),
        cmocka_unit_test(fills_in_what_a_config_does_not_say),
        cmocka_unit_test(resolves_secrets_and_leaves_what_it_cannot),
        cmocka_unit_test(refuses_a_config_that_no_gateway_could_run_on),
        cmocka_unit_test(lists_the_models_of_providers_and_the_built_in_one),
        cmocka_unit_test(shows_a_config_without_its_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
