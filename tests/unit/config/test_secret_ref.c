#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/value.h"
#include "schema/base/config_shape.h"
#include "schema/base/secret_answer.h"
#include "schema/base/gateway_auth_guard.h"
#include "schema/base/secret_check.h"
#include "schema/base/secret_ref.h"
#include "schema/base/secret_surface.h"
#include "schema/base/secret_target.h"

/* --- references ------------------------------------------------------------------------------------ */

static const char *ref_of(const char *json, const char *doc_json)
{
    static char text[SECRET_REF_TEXT_MAX];
    CLEANUP(pack_deinit) struct pack value;
    CLEANUP(pack_deinit) struct pack doc;
    struct secret_ref ref;

    pack_init(&value, 0);
    pack_init(&doc, 0);
    json_pack(json, &value);
    json_pack(doc_json, &doc);
    (void)strcpy(text, "none");
    if (secret_ref_read(pack_span(&value), pack_span(&doc), &ref)) {
        secret_ref_text(&ref, text);
    }
    return text;
}

static void reads_objects_and_the_short_forms_of_variables(void **state)
{
    static const char doc[] = "{secrets:{defaults:{env:'mine',file:'disk'}}}";

    (void)state;
    assert_string_equal(ref_of("{source:'exec',provider:'vault',id:'a/b'}", "{}"), "exec:vault:a/b");
    assert_string_equal(ref_of("{source:'file',id:'/a'}", doc), "file:disk:/a");
    assert_string_equal(ref_of("{source:'file',id:'/a'}", "{}"), "file:default:/a");
    assert_string_equal(ref_of("'${A_KEY}'", doc), "env:mine:A_KEY");
    assert_string_equal(ref_of("'$A_KEY'", "{}"), "env:default:A_KEY");
}

static void takes_nothing_else_for_a_reference(void **state)
{
    static const char *const no[] = { "'plain'",
                                      "'${a}'",
                                      "'x${A}'",
                                      "'${A}x'",
                                      "'$'",
                                      "'${}'",
                                      "'$a'",
                                      "5",
                                      "{source:'env',provider:'d',id:''}",
                                      "{source:'store',provider:'d',id:'A'}",
                                      "{source:'env',provider:5,id:'A'}",
                                      "{}" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        assert_string_equal(ref_of(no[i], "{}"), "none");
    }
}

static void holds_ids_against_the_rules_of_their_source(void **state)
{
    static const struct {
        enum secret_source source;
        const char *id;
        bool is_fit;
    } cases[] = {
        { SECRET_SOURCE_ENV, "A", true },        { SECRET_SOURCE_ENV, "A_9", true },
        { SECRET_SOURCE_ENV, "_A", false },      { SECRET_SOURCE_ENV, "a", false },
        { SECRET_SOURCE_ENV, "", false },        { SECRET_SOURCE_FILE, "/a/b~0c~1d", true },
        { SECRET_SOURCE_FILE, "/", true },       { SECRET_SOURCE_FILE, "value", true },
        { SECRET_SOURCE_FILE, "a", false },      { SECRET_SOURCE_FILE, "/a~", false },
        { SECRET_SOURCE_FILE, "/a~2", false },   { SECRET_SOURCE_EXEC, "a/b.c:d-e#f", true },
        { SECRET_SOURCE_EXEC, "value", true },   { SECRET_SOURCE_EXEC, "/a", false },
        { SECRET_SOURCE_EXEC, "a/../b", false }, { SECRET_SOURCE_EXEC, "a/.", false },
        { SECRET_SOURCE_EXEC, "a/..", false },   { SECRET_SOURCE_EXEC, "a/...", true },
        { SECRET_SOURCE_EXEC, "a b", false },    { SECRET_SOURCE_EXEC, "a;b", false },
    };
    char long_id[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(secret_id_is_fit(cases[i].source, span_from(cases[i].id)), cases[i].is_fit);
    }
    memset(long_id, 'A', sizeof(long_id));
    assert_true(secret_id_is_fit(SECRET_SOURCE_ENV, (struct span){ long_id, 128 }));
    assert_false(secret_id_is_fit(SECRET_SOURCE_ENV, (struct span){ long_id, 129 }));
    assert_true(secret_id_is_fit(SECRET_SOURCE_EXEC, (struct span){ long_id, 256 }));
    assert_false(secret_id_is_fit(SECRET_SOURCE_EXEC, (struct span){ long_id, 257 }));
    assert_true(secret_provider_is_fit(SPAN_LIT("a-b_9")));
    assert_false(secret_provider_is_fit(SPAN_LIT("9a")));
    assert_false(secret_provider_is_fit(SPAN_LIT("A")));
}

/* --- places ----------------------------------------------------------------------------------------- */

static void on_target(void *arg, const struct secret_target *target)
{
    char *told = arg;
    size_t len = strlen(told);

    (void)snprintf(told + len, 2048 - len, "%s%s ", target->path, target->ref_value.len ? "+ref" : "");
}

static void finds_every_place_that_holds_something(void **state)
{
    CLEANUP(pack_deinit) struct pack doc;
    char told[2048] = "";

    (void)state;
    pack_init(&doc, 0);
    json_pack(
        "{gateway:{auth:{token:'t'}},models:{providers:{'a.b':{apiKey:'k',headers:{X:'h'},"
        "request:{tls:{key:'k'}}},c:{}}},agents:{list:[{},{memorySearch:{remote:{apiKey:'m'}}}]},"
        "channels:{googlechat:{serviceAccountRef:{source:'env',provider:'default',id:'G'}},telegram:{botToken:null}}}",
        &doc);
    secret_target_each(pack_span(&doc), "openclaw.json", on_target, told);
    assert_string_equal(told, "agents.list.1.memorySearch.remote.apiKey channels.googlechat.serviceAccount+ref "
                              "gateway.auth.token models.providers.a.b.apiKey models.providers.a.b.headers.X "
                              "models.providers.a.b.request.tls.key ");
}

static void finds_profiles_of_their_own_type_alone(void **state)
{
    CLEANUP(pack_deinit) struct pack doc;
    char told[2048] = "";

    (void)state;
    pack_init(&doc, 0);
    json_pack("{profiles:{a:{type:'api_key',key:'k',token:'no'},b:{type:'token',key:'no',token:'t'},"
              "c:{type:'api_key',keyRef:{source:'env',provider:'default',id:'K'}},d:{type:'oauth',token:'no'}}}",
              &doc);
    secret_target_each(pack_span(&doc), "auth-profiles.json", on_target, told);
    assert_string_equal(told, "profiles.a.key profiles.c.key+ref profiles.b.token ");
}

static void matches_steps_with_rows_and_rows_with_names(void **state)
{
    struct json5_step steps[] = { { .key = SPAN_LIT("models") },
                                  { .key = SPAN_LIT("providers") },
                                  { .key = SPAN_LIT("p") },
                                  { .key = SPAN_LIT("apiKey") },
                                  { .key = SPAN_LIT("more") } };
    const struct config_credential *row = secret_target_find(steps, 4, "openclaw.json");

    (void)state;
    assert_non_null(row);
    assert_string_equal(row->path, "models.providers.*.apiKey");
    assert_string_equal(row->type, "models.providers.apiKey");
    assert_int_equal(row->provider_at, 2);
    assert_true(row->is_served);
    assert_null(secret_target_find(steps, 5, "openclaw.json"));
    assert_null(secret_target_find(steps, 3, "openclaw.json"));
    assert_null(secret_target_find(steps, 4, "auth-profiles.json"));
    assert_ptr_equal(secret_target_of_id(SPAN_LIT("models.providers.*.apiKey")), row);
    assert_ptr_equal(secret_target_of_type(SPAN_LIT("models.providers.apiKey"), NULL), row);
    assert_null(secret_target_of_type(SPAN_LIT("models.providers.apiKey"), row));
    assert_null(secret_target_of_id(SPAN_LIT("hooks.token")));
    assert_false(secret_target_of_id(SPAN_LIT("channels.telegram.botToken"))->is_served);
}

/* --- rules and use ---------------------------------------------------------------------------------- */

static void on_issue(void *arg, const struct config_shape_issue *issue)
{
    char *told = arg;
    size_t len = strlen(told);
    char place[256];

    config_shape_place(issue->steps, issue->where_n, true, place, sizeof(place));
    (void)snprintf(told + len, 2048 - len, "%s: %.40s\n", place, issue->message);
}

static void refuses_references_and_providers_that_break_the_rules(void **state)
{
    CLEANUP(pack_deinit) struct pack doc;
    char told[2048] = "";

    (void)state;
    pack_init(&doc, 0);
    json_pack("{gateway:{auth:{token:{source:'exec',provider:'v',id:'a/../b'}}},models:{providers:{p:{"
              "apiKey:'secretref-env:KEY',headers:{X:{source:'file',provider:'V',id:'/a'}}}}},"
              "channels:{telegram:{botToken:{source:'exec',provider:'V',id:'..'}}},"
              "secrets:{providers:{'9':{source:'env'},v:{source:'exec',command:'bin/x',trustedDirs:['/a','b']}}}}",
              &doc);
    assert_int_equal(secret_check(pack_span(&doc), on_issue, told), 6);
    assert_string_equal(told, "gateway.auth.token: Invalid reference to a secret of source \n"
                              "models.providers.p.apiKey: Invalid reference to a secret: write { s\n"
                              "models.providers.p.headers.X: Invalid reference to a secret of source \n"
                              "secrets.providers.9: Invalid name of a provider: it must be o\n"
                              "secrets.providers.v.command: Invalid input: expected an absolute path\n"
                              "secrets.providers.v.trustedDirs.1: Invalid input: expected an absolute path\n");
}

static void refuses_the_redaction_marker_wherever_a_secret_may_stand(void **state)
{
    CLEANUP(pack_deinit) struct pack doc;
    char told[2048] = "";

    (void)state;
    pack_init(&doc, 0);
    json_pack("{gateway:{auth:{token:'__OPENCLAW_REDACTED__'}},models:{providers:{p:{"
              "apiKey:'x__OPENCLAW_REDACTED__',baseUrl:'__OPENCLAW_REDACTED__'}}},"
              "channels:{telegram:{botToken:'__OPENCLAW_REDACTED__'}}}",
              &doc);
    assert_int_equal(secret_check(pack_span(&doc), on_issue, told), 3);
    assert_non_null(strstr(told, "gateway.auth.token: Invalid secret"));
    assert_non_null(strstr(told, "models.providers.p.apiKey: Invalid secret"));
    assert_non_null(strstr(told, "channels.telegram.botToken: Invalid secret"));
    assert_non_null(gateway_secret_problem(SPAN_LIT("__OPENCLAW_REDACTED__")));
}

struct use {
    struct span doc;
    const char *const *env;
    char told[2048];
};

static void on_used(void *arg, const struct secret_target *target)
{
    struct use *use = arg;
    struct secret_surface surface;
    size_t len = strlen(use->told);

    secret_surface_judge(use->doc, target, env_of(use->env), &surface);
    assert_true(surface.reason[0] != '\0');
    (void)snprintf(use->told + len, sizeof(use->told) - len, "%c%s ", surface.is_active ? '+' : '-', target->path);
}

static void knows_which_places_are_in_use(void **state)
{
    static const char *const token[] = { "OPENCLAW_GATEWAY_TOKEN=t", NULL };
    static const struct {
        const char *json;
        const char *const *env;
        const char *expected;
    } cases[] = {
        { "{gateway:{auth:{mode:'token',token:'$T',password:'$P'}}}", NULL,
          "-gateway.auth.password +gateway.auth.token " },
        { "{gateway:{auth:{mode:'password',token:'$T',password:'$P'}}}", NULL,
          "+gateway.auth.password -gateway.auth.token " },
        { "{gateway:{auth:{token:'$T'}}}", token, "-gateway.auth.token " },
        { "{gateway:{auth:{token:'$T'},remote:{token:'$R'}}}", NULL, "+gateway.auth.token -gateway.remote.token " },
        { "{gateway:{remote:{token:'$R',password:'$Q'}}}", NULL, "+gateway.remote.password +gateway.remote.token " },
        { "{gateway:{auth:{token:'x'},remote:{url:'ws://h',token:'$R'}}}", NULL,
          "+gateway.auth.token +gateway.remote.token " },
        { "{models:{providers:{a:{apiKey:'$A'},b:{enabled:false,apiKey:'$B'}}}}", NULL,
          "+models.providers.a.apiKey -models.providers.b.apiKey " },
        { "{agents:{defaults:{memorySearch:{remote:{apiKey:'$A'}}},list:[{memorySearch:{remote:{apiKey:'$B'}}}]}}",
          NULL, "-agents.defaults.memorySearch.remote.apiKey +agents.list.0.memorySearch.remote.apiKey " },
        { "{agents:{defaults:{memorySearch:{remote:{apiKey:'$A'}}},list:[{id:'x'}]}}", NULL,
          "+agents.defaults.memorySearch.remote.apiKey " },
        { "{agents:{defaults:{sandbox:{ssh:{identityData:'$I'}}},list:[{sandbox:{backend:'ssh',mode:'all'}}]}}", NULL,
          "+agents.defaults.sandbox.ssh.identityData " },
        { "{agents:{defaults:{sandbox:{backend:'ssh',mode:'off',ssh:{identityData:'$I'}}}}}", NULL,
          "-agents.defaults.sandbox.ssh.identityData " },
        { "{channels:{telegram:{botToken:'$T'}}}", NULL, "-channels.telegram.botToken " },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(pack_deinit) struct pack doc;
        struct use use = { .env = cases[i].env };

        pack_init(&doc, 0);
        json_pack(cases[i].json, &doc);
        use.doc = pack_span(&doc);
        secret_target_each(use.doc, "openclaw.json", on_used, &use);
        assert_string_equal(use.told, cases[i].expected);
    }
}

/* --- what providers say --------------------------------------------------------------------------------- */

static void assert_pointer(const char *json, const char *pointer, const char *expected)
{
    CLEANUP(pack_deinit) struct pack doc;

    pack_init(&doc, 0);
    json_pack(json, &doc);
    struct span found = secret_pointer_find(pack_span(&doc), span_from(pointer));
    if (expected) {
        assert_json(found, expected);
    } else {
        assert_int_equal(found.len, 0);
    }
}

static void follows_pointers(void **state)
{
    static const char doc[] = "{a:{'b/c':{'~d':'x'}},list:['p',{q:1}],'':{'':2},'01':3}";

    (void)state;
    assert_pointer(doc, "/a/b~1c/~0d", "\"x\"");
    assert_pointer(doc, "/list/0", "\"p\"");
    assert_pointer(doc, "/list/1/q", "1");
    assert_pointer(doc, "//", "2");
    assert_pointer(doc, "/01", "3");
    assert_pointer("{'~1':5}", "/~01", "5");
    assert_pointer(doc, "/list/2", NULL);
    assert_pointer(doc, "/list/00", NULL);
    assert_pointer(doc, "/list/-", NULL);
    assert_pointer(doc, "/list/0/x", NULL);
    assert_pointer(doc, "/nothing", NULL);
    assert_pointer(doc, "a", NULL);
}

struct answer_case {
    const char *text;
    bool is_plain_fine;
    const char *expected; /* value of "k", or of the id alone; NULL: refused */
    const char *problem;
};

static void reads_answers_of_programs(void **state)
{
    static const struct answer_case cases[] = {
        { "{\"protocolVersion\":1,\"values\":{\"k\":\"v\"}}", false, "\"v\"", NULL },
        { " {\"protocolVersion\":1,\"values\":{\"k\":\"v\"},\"more\":1}\n", true, "\"v\"", NULL },
        { "{\"protocolVersion\":1,\"values\":{}}", false, NULL, "the program's answer lacks this id" },
        { "{\"protocolVersion\":1,\"values\":{},\"errors\":{\"k\":{\"message\":\"the token is t0ps3cret\"}}}", false,
          NULL, "the program reports an error for this id" },
        { "{\"protocolVersion\":1,\"values\":{},\"errors\":{\"k\":{\"code\":\"NOT_FOUND\"}}}", false, NULL,
          "the program knows no such id (NOT_FOUND)" },
        { "{\"protocolVersion\":2,\"values\":{\"k\":\"v\"}}", false, NULL,
          "the program's answer is not of protocol version 1" },
        { "{\"protocolVersion\":\"1\",\"values\":{\"k\":\"v\"}}", false, NULL,
          "the program's answer is not of protocol version 1" },
        { "{\"protocolVersion\":1}", false, NULL, "the program's answer has no \"values\"" },
        { "{\"protocolVersion\":1,\"values\":[\"v\"]}", false, NULL, "the program's answer has no \"values\"" },
        { "[1]", false, NULL, "the program's answer is no JSON object" },
        { "\"v\"", false, NULL, "the program's answer is no JSON object" },
        { "\"v\"", true, "\"v\"", NULL },
        { "plain value\n", true, "\"plain value\"", NULL },
        { "plain value\n", false, NULL, "the program's answer is no JSON" },
        { "{\"protocolVersion\":1,", false, NULL, "the program's answer is no JSON" },
        { "  \n", true, NULL, "the program said nothing" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(pack_deinit) struct pack doc;
        struct secret_problem problem = { "" };
        struct span value;

        pack_init(&doc, 0);
        int r = secret_answer_read(span_from(cases[i].text), cases[i].is_plain_fine, &doc, &problem);
        r = r ? r : secret_answer_value(pack_span(&doc), SPAN_LIT("k"), &value, &problem);
        assert_int_equal(r != 0, cases[i].expected == NULL);
        if (cases[i].expected) {
            assert_json(value, cases[i].expected);
        } else {
            assert_string_equal(problem.text, cases[i].problem);
        }
    }
}

static void takes_a_single_value_without_mark_and_line_end(void **state)
{
    (void)state;
    assert_true(span_is_text(secret_payload_single(SPAN_LIT("\xef\xbb\xbfv\r\n")), "v"));
    assert_true(span_is_text(secret_payload_single(SPAN_LIT("v\n\n")), "v\n"));
    assert_true(span_is_text(secret_payload_single(SPAN_LIT("\n")), ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_objects_and_the_short_forms_of_variables),
        cmocka_unit_test(takes_nothing_else_for_a_reference),
        cmocka_unit_test(holds_ids_against_the_rules_of_their_source),
        cmocka_unit_test(finds_every_place_that_holds_something),
        cmocka_unit_test(finds_profiles_of_their_own_type_alone),
        cmocka_unit_test(matches_steps_with_rows_and_rows_with_names),
        cmocka_unit_test(refuses_references_and_providers_that_break_the_rules),
        cmocka_unit_test(refuses_the_redaction_marker_wherever_a_secret_may_stand),
        cmocka_unit_test(knows_which_places_are_in_use),
        cmocka_unit_test(follows_pointers),
        cmocka_unit_test(reads_answers_of_programs),
        cmocka_unit_test(takes_a_single_value_without_mark_and_line_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
