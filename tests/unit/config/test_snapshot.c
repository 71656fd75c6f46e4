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
    struct config_overlay overlay = { .path = opts.path, .text = span_from(json) };

    snapshot_init(snapshot);
    snapshot->document.sources.overlay = &overlay;
    int r = snapshot_load(snapshot, &opts, error);
    snapshot->document.sources.overlay = NULL;
    return r;
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

static void merges_lists_by_id(void **state)
{
    static const char *const cases[][3] = {
        { "{l:[{id:'a',x:{y:1}},{id:'b'}]}", "{l:[{id:'c'},{id:'a',x:{z:2}}]}",
          "{\"l\":[{\"id\":\"a\",\"x\":{\"y\":1,\"z\":2}},{\"id\":\"b\"},{\"id\":\"c\"}]}" },
        { "{l:[{id:'a'}]}", "{l:[]}", "{\"l\":[{\"id\":\"a\"}]}" },
        { "{l:[]}", "{l:[{id:'a'}]}", "{\"l\":[{\"id\":\"a\"}]}" },
        { "{l:[{id:'a'}]}", "{l:[{id:'a',x:1},{id:'a',x:2}]}", /* not clear which: as it is given */
          "{\"l\":[{\"id\":\"a\",\"x\":1},{\"id\":\"a\",\"x\":2}]}" },
        { "{l:['a']}", "{l:[{id:'b'}]}", "{\"l\":[{\"id\":\"b\"}]}" },
        { "{l:[{id:1}]}", "{l:[{id:2}]}", "{\"l\":[{\"id\":2}]}" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pack low;
        struct pack high;
        struct pack out;

        pack_init(&low, 0);
        pack_init(&high, 0);
        pack_init(&out, 0);
        json_pack(cases[i][0], &low);
        json_pack(cases[i][1], &high);
        config_merge_ids(pack_span(&low), pack_span(&high), &out);
        assert_json(pack_span(&out), cases[i][2]);
        pack_deinit(&low);
        pack_deinit(&high);
        pack_deinit(&out);
    }
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
    json_pack("{models:{providers:{p:{headers:{X:'v',Y:'${V}'},baseUrl:'http://x'}}},agents:{list:[{sandbox:{ssh:{"
              "identityData:'i',target:'t'}}}]}}",
              &in);
    pack_reset(&out);
    assert_true(config_redact(pack_span(&in), &out));
    assert_json(pack_span(&out),
                "{\"models\":{\"providers\":{\"p\":{\"headers\":{\"X\":\"__OPENCLAW_REDACTED__\",\"Y\":\"${V}\"},"
                "\"baseUrl\":\"http://x\"}}},\"agents\":{\"list\":[{\"sandbox\":{\"ssh\":{\"identityData\":"
                "\"__OPENCLAW_REDACTED__\",\"target\":\"t\"}}}]}}");
    json_pack("{tools:{web:{fetch:{headers:{'X-Thing':'h','X-Number':1}}}},mcp:{servers:{s:{headers:{Any:'h'},"
              "url:'http://x'}}},gateway:{http:{securityHeaders:{strictTransportSecurity:'max-age=1'}}}}",
              &in);
    pack_reset(&out);
    assert_true(config_redact(pack_span(&in), &out));
    assert_json(pack_span(&out),
                "{\"tools\":{\"web\":{\"fetch\":{\"headers\":{\"X-Thing\":\"__OPENCLAW_REDACTED__\",\"X-Number\":1}}}},"
                "\"mcp\":{\"servers\":{\"s\":{\"headers\":{\"Any\":\"__OPENCLAW_REDACTED__\"},\"url\":\"http://x\"}}},"
                "\"gateway\":{\"http\":{\"securityHeaders\":{\"strictTransportSecurity\":\"max-age=1\"}}}}");
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

/* --- secrets ----------------------------------------------------------------------------------------- */

static const char secret_json[] =
    "{gateway:{mode:'local',auth:{mode:'token',token:'GATEWAY-TOKEN'}},models:{providers:{"
    "a:{baseUrl:'http://a',models:[],apiKey:{source:'env',provider:'default',id:'KEY'},headers:{X:'${KEY}',Y:'PLAIN'}},"
    "b:{baseUrl:'http://b',models:[],apiKey:{source:'file',provider:'f',id:'/x'}},"
    "c:{baseUrl:'http://c',models:[],apiKey:'${NONE}'}}}}";

/* Resolves what variables can tell; the rest fails. */
static size_t take(struct snapshot *snapshot, const struct secret_set *old, const char *const *env,
                   const struct secret_entry **ret_broken)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    struct secret_ref refs[16];

    assert_in_range(snapshot->secrets.asked_n, 1, ARRAY_LEN(refs));
    secret_set_refs(&snapshot->secrets, refs);
    assert_int_equal(secret_resolve_start(&(struct secret_resolve_opts){ .doc = snapshot->secrets.doc,
                                                                         .lookup = env_of(env),
                                                                         .refs = refs,
                                                                         .refs_n = snapshot->secrets.asked_n },
                                          &resolve),
                     0);
    assert_true(secret_resolve_is_done(resolve));
    return secret_set_take(&snapshot->secrets, old, resolve, ret_broken);
}

static void assert_shown(const struct snapshot *snapshot, const char *path, const char *address, const char *expected)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct span doc = pack_span(&snapshot->effective);
    struct span value = value_path(doc, path);
    int r = secret_set_show(&snapshot->secrets, doc, value, span_from(address), &text);

    assert_in_range(r, 0, 1);
    value = r ? (struct span){ text.data, text.len } : value;
    assert_true(wire_check(value.ptr, value.len, 64));
    assert_json(value, expected);
}

static void lays_secrets_into_what_their_owner_reads_and_into_nothing_else(void **state)
{
    const struct secret_entry *broken;
    struct config_error error = { 0 };
    struct snapshot snapshot;

    (void)state;
    assert_int_equal(build(&snapshot, secret_json, env_token + 1, &error), 0);
    assert_int_equal(snapshot.secrets.n, 4);
    assert_int_equal(take(&snapshot, NULL, env_token + 1, &broken), 2);
    assert_string_equal(broken->path, "models.providers.b.apiKey");
    assert_shown(&snapshot, "models.providers.a", "agent/main",
                 "{\"baseUrl\":\"http://a\",\"models\":[],\"apiKey\":\"SECRET-KEY\",\"headers\":{\"X\":\"SECRET-KEY\","
                 "\"Y\":\"PLAIN\"}}");
    assert_shown(&snapshot, "models.providers.a.headers", "router",
                 "{\"X\":\"${KEY}\",\"Y\":\"__OPENCLAW_REDACTED__\"}");
    assert_shown(&snapshot, "models.providers.a.apiKey", "agents",
                 "{\"source\":\"env\",\"provider\":\"default\",\"id\":\"KEY\"}");
    assert_shown(&snapshot, "models.providers.b.apiKey", "agent/main",
                 "{\"source\":\"file\",\"provider\":\"f\",\"id\":\"/x\"}");
    assert_shown(&snapshot, "models.providers.c.apiKey", "agent/main", "{\"source\":\"env\"}");
    assert_shown(&snapshot, "gateway.auth.token", "auth", "\"GATEWAY-TOKEN\"");
    assert_shown(&snapshot, "gateway.auth.token", "edge/0", "\"__OPENCLAW_REDACTED__\"");
    assert_shown(&snapshot, "gateway.mode", "edge/0", "\"local\"");
    snapshot_deinit(&snapshot);
}

static void keeps_all_values_of_before_when_one_fails(void **state)
{
    static const char json[] =
        "{gateway:{mode:'local',auth:{mode:'token',token:'T'}},models:{providers:{"
        "a:{baseUrl:'http://a',models:[],apiKey:'$A'},b:{baseUrl:'http://b',models:[],apiKey:'$B'},"
        "c:{baseUrl:'http://c',models:[],apiKey:'$C'}}}}";
    static const char *const first[] = { "A=a1", "B=b1", NULL };
    static const char *const second[] = { "A=a2", "C=c2", NULL };
    static const char *const third[] = { "A=a3", "B=b3", "C=c3", NULL };
    const struct secret_entry *broken;
    const struct secret_entry *failed;
    struct config_error error = { 0 };
    struct snapshot old;
    struct snapshot fresh;
    struct snapshot last;
    struct pack paths;

    (void)state;
    assert_int_equal(build(&old, json, NULL, &error), 0);
    assert_int_equal(build(&fresh, json, NULL, &error), 0);
    assert_int_equal(build(&last, json, NULL, &error), 0);
    assert_int_equal(take(&old, NULL, first, &broken), 1);
    assert_string_equal(broken->path, "models.providers.c.apiKey");
    assert_int_equal(take(&fresh, &old.secrets, second, &broken), 1);
    assert_null(broken);
    assert_int_equal(secret_set_failed(&fresh.secrets, &failed), 1);
    assert_true(failed->is_stale && !strcmp(failed->path, "models.providers.b.apiKey"));
    assert_shown(&fresh, "models.providers.a.apiKey", "agent/x", "\"a1\"");
    assert_shown(&fresh, "models.providers.b.apiKey", "agent/x", "\"b1\"");
    assert_shown(&fresh, "models.providers.c.apiKey", "agent/x", "\"c2\"");
    assert_int_equal(take(&last, &fresh.secrets, third, &broken), 0);
    assert_shown(&last, "models.providers.a.apiKey", "agent/x", "\"a3\"");
    pack_init(&paths, 0);
    pack_array_begin(&paths);
    secret_set_diff_pack(&old.secrets, &fresh.secrets, &paths);
    pack_array_end(&paths);
    assert_json(pack_span(&paths), "[\"models.providers.c.apiKey\"]");
    pack_deinit(&paths);
    snapshot_deinit(&old);
    snapshot_deinit(&fresh);
    snapshot_deinit(&last);
}

static void a_value_of_another_reference_or_provider_is_not_kept(void **state)
{
    static const char old_json[] = "{gateway:{mode:'local',auth:{mode:'token',token:'T'}},models:{providers:{"
                                   "a:{baseUrl:'http://a',models:[],apiKey:'$A'}}}}";
    static const char *const others[] = {
        "{gateway:{mode:'local',auth:{mode:'token',token:'T'}},models:{providers:{a:{baseUrl:'http://a',models:[],"
        "apiKey:'$B'}}}}",
        "{gateway:{mode:'local',auth:{mode:'token',token:'T'}},secrets:{providers:{default:{source:'env',allowlist:[]}}"
        "},"
        "models:{providers:{a:{baseUrl:'http://a',models:[],apiKey:'$A'}}}}",
    };
    static const char *const env[] = { "A=a", NULL };
    struct config_error error = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        const struct secret_entry *broken;
        struct snapshot old;
        struct snapshot fresh;

        assert_int_equal(build(&old, old_json, NULL, &error), 0);
        assert_int_equal(take(&old, NULL, env, &broken), 0);
        assert_int_equal(build(&fresh, others[i], NULL, &error), 0);
        assert_int_equal(take(&fresh, &old.secrets, env, &broken), 1);
        assert_non_null(broken);
        snapshot_deinit(&old);
        snapshot_deinit(&fresh);
    }
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
        build(&snapshot, "{gateway:{mode:'local',auth:{token:'T-IN-FILE'}},web:{a:'${KEY}'}}", env_token, &error), 0);
    view_pack(&snapshot, "/p/openclaw.json", &(struct view_issues){ .text = "" }, &out);
    assert_int_equal(pack_error(&out), 0);
    assert_int_equal(json_from_value(pack_span(&out), &text), 0);
    struct span shown = { text.data, text.len };
    assert_null(memmem(shown.ptr, shown.len, "T-IN-FILE", 9));
    assert_null(memmem(shown.ptr, shown.len, "FROM-ENV", 8));
    assert_int_equal(value_kind_of(value_get(pack_span(&out), "raw")), VALUE_NIL);
    assert_true(value_bool(value_get(pack_span(&out), "valid"), false));
    assert_true(span_is_text(value_str(value_get(pack_span(&out), "hash"), SPAN_LIT("")), snapshot.document.hash));
    pack_reset(&out);
    view_pack(&snapshot, "/p/openclaw.json", &(struct view_issues){ .text = "line 3 is wrong" }, &out);
    assert_false(value_bool(value_get(pack_span(&out), "valid"), true));
    assert_json(value_get(pack_span(&out), "issues"), "[{\"path\":\"\",\"message\":\"line 3 is wrong\"}]");
    snapshot_deinit(&snapshot);
    pack_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lays_one_document_over_another),
        cmocka_unit_test(merges_lists_by_id),
        cmocka_unit_test(names_the_paths_that_differ),
        cmocka_unit_test(says_everything_when_too_many_paths_differ),
        cmocka_unit_test(hides_secrets_and_nothing_else),
        cmocka_unit_test(fills_in_what_a_config_does_not_say),
        cmocka_unit_test(lays_secrets_into_what_their_owner_reads_and_into_nothing_else),
        cmocka_unit_test(keeps_all_values_of_before_when_one_fails),
        cmocka_unit_test(a_value_of_another_reference_or_provider_is_not_kept),
        cmocka_unit_test(refuses_a_config_that_no_gateway_could_run_on),
        cmocka_unit_test(lists_the_models_of_providers_and_the_built_in_one),
        cmocka_unit_test(shows_a_config_without_its_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
