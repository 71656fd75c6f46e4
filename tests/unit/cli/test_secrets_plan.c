/* What a plan may say, and that everything else refuses it as a whole and names the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "edge/cli/secrets_plan.h"

#define HEAD "{\"version\":1,\"protocolVersion\":1,"
#define REF "\"ref\":{\"source\":\"env\",\"provider\":\"default\",\"id\":\"OPENAI_API_KEY\"}"
#define KEY_PATH "\"type\":\"models.providers.apiKey\",\"path\":\"models.providers.openai.apiKey\""
#define TARGET(more) HEAD "\"targets\":[{" more "}]}"

static int parse(const char *text, struct secrets_plan *plan, struct config_error *error)
{
    error->text[0] = '\0';
    return secrets_plan_parse(span_from(text), plan, error);
}

static void reads_what_configure_writes(void **state)
{
    static const char text[] = HEAD
        "\"generatedAt\":\"2026-01-01T00:00:00.000Z\",\"generatedBy\":\"openclaw secrets configure\",\"targets\":["
        "{" KEY_PATH ",\"pathSegments\":[\"models\",\"providers\",\"openai\",\"apiKey\"],\"providerId\":\"openai\"," REF
        "},{\"type\":\"auth-profiles.api_key.key\",\"path\":\"profiles.openai:default.key\",\"agentId\":\"main\","
        "\"authProfileProvider\":\"openai\"," REF "}],"
        "\"providerUpserts\":{\"vault\":{\"source\":\"exec\",\"command\":\"/bin/x\"}},\"providerDeletes\":[\"old\"],"
        "\"options\":{\"scrubEnv\":false}}";
    CLEANUP(secrets_plan_deinit) struct secrets_plan plan;
    struct config_error error;
    char path[SECRETS_PLACE_LEN];

    (void)state;
    assert_int_equal(parse(text, &plan, &error), 0);
    assert_int_equal(plan.targets_n, 2);
    assert_string_equal(secrets_place_text(&plan.targets[0].place, path), "models.providers.openai.apiKey");
    assert_true(span_is_text(secrets_place_provider(&plan.targets[0].place), "openai"));
    assert_int_equal(plan.targets[0].ref.source, SECRET_SOURCE_ENV);
    assert_int_equal(plan.targets[0].agent.len, 0);
    assert_true(span_is_text(plan.targets[1].agent, "main"));
    assert_true(span_is_text(plan.targets[1].profile_provider, "openai"));
    struct secrets_place ref_place = secrets_place_of_ref(&plan.targets[1].place);
    assert_string_equal(secrets_place_text(&ref_place, path), "profiles.openai:default.keyRef");
    assert_true(secrets_plan_has_exec(&plan));
    assert_false(plan.is_env_scrubbed);
    assert_true(plan.is_profiles_scrubbed && plan.is_legacy_scrubbed);
}

static void knows_types_by_their_older_names_and_lists_by_their_index(void **state)
{
    static const char *const fine[] = {
        TARGET("\"type\":\"models.providers.*.apiKey\",\"path\":\"models.providers.openai.apiKey\"," REF),
        TARGET("\"type\":\"skills.entries.apiKey\",\"path\":\"skills.entries.x.apiKey\"," REF),
        TARGET("\"type\":\"channels.googlechat.serviceAccount\",\"path\":\"channels.googlechat.accounts.a."
               "serviceAccount\",\"accountId\":\"a\"," REF),
        TARGET("\"type\":\"agents.list[].memorySearch.remote.apiKey\",\"path\":\"agents.list.3.memorySearch.remote."
               "apiKey\"," REF),
        TARGET("\"type\":\"models.providers.headers\",\"path\":\"models.providers.a.b.headers.X.Y\",\"pathSegments\":["
               "\"models\",\"providers\",\"a.b\",\"headers\",\"X.Y\"]," REF),
        TARGET(KEY_PATH ",\"pathSegments\":[]," REF),
        "{ version: 1, protocolVersion: 1, targets: [], /* JSON5 */ }",
    };
    struct config_error error;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        struct secrets_plan plan;
        int r = parse(fine[i], &plan, &error);

        if (r) {
            print_error("%s: %s\n", fine[i], error.text);
        }
        assert_int_equal(r, 0);
        assert_false(secrets_plan_has_exec(&plan));
        secrets_plan_deinit(&plan);
    }
}

struct refusal {
    const char *text;
    const char *says;
};

static const struct refusal shapes[] = {
    { "", "line 1" },
    { "[]", "the plan: must be an object" },
    { "{\"protocolVersion\":1,\"targets\":[]}", "version: must be 1" },
    { "{\"version\":true,\"protocolVersion\":1,\"targets\":[]}", "version: must be 1" },
    { "{\"version\":1,\"protocolVersion\":2,\"targets\":[]}", "protocolVersion: must be 1" },
    { HEAD "\"targets\":{}}", "targets: must be a list" },
    { HEAD "\"targets\":[],\"optoins\":{}}", "nearest known key is \"options\"" },
    { HEAD "\"targets\":[],\"version\":1}", "\"version\" is there twice" },
    { HEAD "\"targets\":[1]}", "targets[0]: must be an object" },
};

static const struct refusal places[] = {
    { TARGET(REF), "targets[0]: type and path" },
    { TARGET("\"type\":\" \",\"path\":\"a\"," REF), "targets[0]: type must be a text" },
    { TARGET("\"type\":7,\"path\":\"a\"," REF), "targets[0]: type must be a text" },
    { TARGET("\"type\":\"x.y\",\"path\":\"x.y\"," REF), "targets[0]: there is no type \"x.y\"" },
    { TARGET("\"type\":\"models.providers.apiKey\",\"path\":\"models.providers.openai.baseUrl\"," REF),
      "\"models.providers.openai.baseUrl\" is no path of the type" },
    { TARGET("\"type\":\"models.providers.apiKey\",\"path\":\"models.providers.openai\"," REF), "is no path" },
    { TARGET("\"type\":\"gateway.auth.token\",\"path\":\"gateway.auth.password\"," REF), "is no path" },
    { TARGET("\"type\":\"models.providers.apiKey\",\"path\":\"models..apiKey\"," REF), "a part of the path is empty" },
    { TARGET("\"type\":\"models.providers.apiKey\",\"path\":\"models.providers.x .apiKey\"," REF), "with a blank" },
    { TARGET("\"type\":\"models.providers.apiKey\",\"path\":\"models.providers.__proto__.apiKey\"," REF), "__proto__" },
    { TARGET("\"type\":\"models.providers.apiKey\",\"path\":\"models.providers.constructor.apiKey\"," REF),
      "constructor" },
    { TARGET("\"type\":\"models.providers.apiKey\",\"path\":\"models.providers.prototype.apiKey\",\"pathSegments\":["
             "\"models\",\"providers\",\"prototype\",\"apiKey\"]," REF),
      "prototype" },
    { TARGET(KEY_PATH ",\"pathSegments\":[\"models\",\"providers\",\"other\",\"apiKey\"]," REF),
      "do not say the same" },
    { TARGET(KEY_PATH ",\"pathSegments\":[\"models\",\"providers\",\"openai\"]," REF), "do not say the same" },
    { TARGET(KEY_PATH ",\"pathSegments\":[\"models\",1]," REF), "no text" },
    { TARGET(KEY_PATH ",\"pathSegments\":\"models\"," REF), "pathSegments must be a list" },
    { TARGET("\"type\":\"agents.list[].memorySearch.remote.apiKey\",\"path\":\"agents.list.03.memorySearch.remote."
             "apiKey\"," REF),
      "is no path" },
    { TARGET("\"type\":\"agents.list[].memorySearch.remote.apiKey\",\"path\":\"agents.list.x.memorySearch.remote."
             "apiKey\"," REF),
      "is no path" },
    { TARGET(KEY_PATH ",\"providerId\":\"other\"," REF), "providerId is not" },
    { TARGET(KEY_PATH ",\"accountId\":\"a\"," REF), "accountId is not" },
    { TARGET(KEY_PATH ",\"surprise\":1," REF), "nobody knows the key \"surprise\"" },
    { TARGET("\"type\":\"auth-profiles.api_key.key\",\"path\":\"profiles.a.key\"," REF), "agentId" },
    { TARGET(KEY_PATH "," REF
                      "},{\"type\":\"models.providers.*.apiKey\",\"path\":\"models.providers.openai.apiKey\"," REF),
      "targets[1]: another target" },
};

static const struct refusal references[] = {
    { TARGET(KEY_PATH), "targets[0].ref: must be an object" },
    { TARGET(KEY_PATH ",\"ref\":{\"source\":\"store\",\"provider\":\"a\",\"id\":\"b\"}"), "targets[0].ref: source" },
    { TARGET(KEY_PATH ",\"ref\":{\"source\":\"env\",\"provider\":\"A\",\"id\":\"B\"}"),
      "targets[0].ref: its provider" },
    { TARGET(KEY_PATH ",\"ref\":{\"source\":\"env\",\"provider\":\"a\",\"id\":\"b\"}"), "targets[0].ref: its id" },
    { TARGET(KEY_PATH ",\"ref\":{\"source\":\"file\",\"provider\":\"a\",\"id\":\"b\"}"), "targets[0].ref: its id" },
    { TARGET(KEY_PATH ",\"ref\":{\"source\":\"exec\",\"provider\":\"a\",\"id\":\"a/../b\"}"),
      "targets[0].ref: its id" },
    { TARGET(KEY_PATH ",\"ref\":{\"source\":\"env\",\"provider\":\"a\",\"id\":\"B\",\"value\":\"x\"}"), "\"value\"" },
};

static const struct refusal providers_and_options[] = {
    { HEAD "\"targets\":[],\"providerUpserts\":[]}", "providerUpserts: must be an object" },
    { HEAD "\"targets\":[],\"providerUpserts\":{\"A\":{\"source\":\"env\"}}}", "providerUpserts: a name" },
    { HEAD "\"targets\":[],\"providerUpserts\":{\"a\":{\"source\":\"vault\"}}}", "providerUpserts.a" },
    { HEAD "\"targets\":[],\"providerUpserts\":{\"a\":{\"source\":\"file\"}}}", "providerUpserts.a" },
    { HEAD "\"targets\":[],\"providerDeletes\":{}}", "providerDeletes: must be a list" },
    { HEAD "\"targets\":[],\"providerDeletes\":[\"../a\"]}", "providerDeletes: a name" },
    { HEAD "\"targets\":[],\"options\":[]}", "options: must be an object" },
    { HEAD "\"targets\":[],\"options\":{\"scrubEnv\":1}}", "scrubEnv must be true or false" },
    { HEAD "\"targets\":[],\"options\":{\"scrubenv\":false}}", "nearest known key is \"scrubEnv\"" },
};

static void refuse_all(const struct refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct secrets_plan plan;
        struct config_error error;

        int r = parse(cases[i].text, &plan, &error);
        if (r != SECRETS_PLAN_E_REFUSED || !strstr(error.text, cases[i].says)) {
            print_error("%s\n  said \"%s\", not \"%s\"\n", cases[i].text, error.text, cases[i].says);
        }
        assert_int_equal(r, SECRETS_PLAN_E_REFUSED);
        assert_non_null(strstr(error.text, cases[i].says));
        secrets_plan_deinit(&plan);
    }
}

static void refuses_what_is_no_plan(void **state)
{
    (void)state;
    refuse_all(shapes, ARRAY_LEN(shapes));
}

static void refuses_a_place_that_is_none_and_names_it(void **state)
{
    (void)state;
    refuse_all(places, ARRAY_LEN(places));
}

static void refuses_a_reference_that_breaks_the_rules_of_its_source(void **state)
{
    (void)state;
    refuse_all(references, ARRAY_LEN(references));
}

static void refuses_providers_and_options_that_nobody_knows(void **state)
{
    (void)state;
    refuse_all(providers_and_options, ARRAY_LEN(providers_and_options));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_configure_writes),
        cmocka_unit_test(knows_types_by_their_older_names_and_lists_by_their_index),
        cmocka_unit_test(refuses_what_is_no_plan),
        cmocka_unit_test(refuses_a_place_that_is_none_and_names_it),
        cmocka_unit_test(refuses_a_reference_that_breaks_the_rules_of_its_source),
        cmocka_unit_test(refuses_providers_and_options_that_nobody_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
