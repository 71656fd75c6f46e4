#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/agent/settings.h"
#include "bus/base/cleanup.h"
#include "bus/json.h"

static void load(struct settings *settings, const char *id, const char *providers, const char *agents)
{
    static const struct json_opts opts = { 0 };
    CLEANUP(pack_deinit) struct pack first;
    CLEANUP(pack_deinit) struct pack second;
    struct json_error error;

    pack_init(&first, 0);
    pack_init(&second, 0);
    assert_int_equal(json_to_pack(span_from(providers), &opts, &first, &error), 0);
    assert_int_equal(json_to_pack(span_from(agents), &opts, &second, &error), 0);
    assert_int_equal(settings_read(settings, id, pack_span(&first), pack_span(&second), (struct span){ 0 }), 0);
}

static const struct provider_setup *resolve(const struct settings *settings, const char *ref, const char *model)
{
    const struct provider_setup *setup = NULL;
    char found[PROVIDER_MODEL_MAX];
    char problem[PROVIDER_TEXT_MAX];

    if (settings_resolve(settings, span_from(ref), &setup, found, problem)) {
        assert_true(problem[0]);
        return NULL;
    }
    assert_string_equal(found, model);
    return setup;
}

static void without_any_configuration_the_built_in_provider_answers(void **state)
{
    struct settings settings = { 0 };
    const struct provider_setup *setup;

    (void)state;
    load(&settings, "main", "null", "null");
    setup = resolve(&settings, "", "echo");
    assert_non_null(setup);
    assert_int_equal(setup->api, PROVIDER_API_ECHO);
    assert_int_equal(settings.total_ms, SETTINGS_TIMEOUT_DEFAULT_MS);
    assert_int_equal(settings.concurrent_max, SETTINGS_CONCURRENT_DEFAULT);
    settings_deinit(&settings);
}

static void the_agents_own_model_comes_before_the_default(void **state)
{
    static const char agents[] = "{\"defaults\":{\"model\":{\"primary\":\"a/x\"},\"timeoutSeconds\":9,"
                                 "\"maxConcurrent\":3,\"systemPromptOverride\":\"all\"},\"list\":[{\"id\":\"main\"},"
                                 "{\"id\":\"Number Two\",\"model\":\"b/y/z\",\"systemPromptOverride\":\"own\"}]}";
    static const char providers[] = "{\"a\":{\"baseUrl\":\"http://a/v1/\"},\"b\":{\"baseUrl\":\"https://b\"}}";
    struct settings settings = { 0 };

    (void)state;
    load(&settings, "main", providers, agents);
    assert_string_equal(resolve(&settings, "", "x")->base_url, "http://a/v1");
    assert_int_equal(settings.total_ms, 9000);
    assert_int_equal(settings.concurrent_max, 3);
    assert_string_equal(settings.system_prompt, "all");
    load(&settings, "number-two", providers, agents);
    assert_string_equal(resolve(&settings, "", "y/z")->id, "b");
    assert_string_equal(settings.system_prompt, "own");
    assert_string_equal(resolve(&settings, "a/q", "q")->id, "a");
    settings_deinit(&settings);
}

static void unknown_references_are_refused(void **state)
{
    static const char *const refs[] = { "nobody/x", "plain", "/x", "a/", "builtin/other" };
    struct settings settings = { 0 };

    (void)state;
    load(&settings, "main", "{\"a\":{\"baseUrl\":\"http://a\"}}", "{}");
    for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
        assert_null(resolve(&settings, refs[i], ""));
    }
    settings_deinit(&settings);
}

static void keys_are_those_that_config_gives(void **state)
{
    struct settings settings = { 0 };

    (void)state;
    load(&settings, "main",
         "{\"a\":{\"baseUrl\":\"http://a\",\"apiKey\":\"sk-file\"},"
         "\"c\":{\"baseUrl\":\"http://c\"}}",
         "{}");
    assert_string_equal(resolve(&settings, "a/m", "m")->api_key, "sk-file");
    assert_null(resolve(&settings, "c/m", "m")->api_key);
    settings_deinit(&settings);
}

static void what_is_wrong_with_a_provider_is_said_to_who_asks(void **state)
{
    static const char *const cases[][2] = {
        { "{\"a\":{}}", "models.providers.a.baseUrl must begin with http:// or https://" },
        { "{\"a\":{\"baseUrl\":\"file:///etc\"}}", "models.providers.a.baseUrl must begin with http:// or https://" },
        { "{\"a\":{\"baseUrl\":\"http://a\",\"api\":\"ollama\"}}",
          "models.providers.a.api is \"ollama\"; this release speaks openai-completions only" },
        { "{\"a\":{\"baseUrl\":\"http://a\",\"apiKey\":{\"source\":\"exec\",\"id\":\"x\"}}}",
          "models.providers.a.apiKey refers to a secret that is not available now" },
        { "{\"a\":{\"baseUrl\":\"http://a\",\"headers\":{\"X\":{\"source\":\"env\",\"id\":\"X\"}}}}",
          "models.providers.a.headers refers to a secret that is not available now" },
        { "{\"a\":{\"baseUrl\":\"http://a\",\"request\":{\"tls\":{\"ca\":{\"source\":\"env\"}}}}}",
          "models.providers.a.request.tls.ca refers to a secret that is not available now" },
        { "{\"a\":{\"baseUrl\":\"http://a\",\"apiKey\":\"a\\nb\"}}",
          "models.providers.a.apiKey holds a control character" },
        { "{\"a\":{\"baseUrl\":\"http://a\",\"headers\":{\"X: y\":\"v\"}}}",
          "models.providers.a.headers hold a name or a value that no header may have" },
        { "{\"a\":{\"baseUrl\":\"http://a\",\"headers\":{\"X\":\"v\\r\\nY: z\"}}}",
          "models.providers.a.headers hold a name or a value that no header may have" },
        { "{\"a\":{\"baseUrl\":\"http://a\",\"headers\":{\"X\":7}}}",
          "models.providers.a.headers hold a value that is no text" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct settings settings = { 0 };

        load(&settings, "main", cases[i][0], "{}");
        assert_string_equal(resolve(&settings, "a/m", "m")->problem, cases[i][1]);
        settings_deinit(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_any_configuration_the_built_in_provider_answers),
        cmocka_unit_test(the_agents_own_model_comes_before_the_default),
        cmocka_unit_test(unknown_references_are_refused),
        cmocka_unit_test(keys_are_those_that_config_gives),
        cmocka_unit_test(what_is_wrong_with_a_provider_is_said_to_who_asks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
