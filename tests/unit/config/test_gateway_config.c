#include "tests/unit/config/support.h"

#include "schema/base/gateway_auth_guard.h"
#include "schema/base/gateway_config.h"

struct outcome {
    int r;
    struct gateway_config config;
    struct config_error error;
};

static struct outcome resolve(const char *json, const char *const *env, bool is_guarded)
{
    struct outcome out = { 0 };
    struct config_lookup lookup = env_of(env);
    struct gateway_overrides overrides = gateway_overrides_from(lookup);
    struct pack doc;

    pack_init(&doc, 0);
    if (json) {
        json_pack(json, &doc);
    }
    out.r = gateway_config_resolve(pack_span(&doc), &overrides, lookup, &out.config, &out.error);
    if (!out.r && is_guarded) {
        out.r = gateway_config_guard(&out.config, pack_span(&doc), &overrides, &out.error);
    }
    pack_deinit(&doc);
    return out;
}

static void has_defaults(void **state)
{
    struct outcome out = resolve(NULL, NULL, false);
    static const char *const dev[] = { "OPENCLAW_DEV=1", NULL };

    (void)state;
    assert_int_equal(out.r, 0);
    assert_int_equal(out.config.port, 18789);
    assert_string_equal(out.config.host, "127.0.0.1");
    assert_int_equal(out.config.auth, GATEWAY_AUTH_TOKEN);
    assert_false(out.config.is_file_present);
    assert_int_equal(resolve(NULL, dev, false).config.port, 19001);
}

static void lets_the_environment_win_over_the_file(void **state)
{
    static const char json[] = "{gateway:{port:1234,bind:'lan',auth:{token:'FILE'}}}";
    static const char *const env[] = { "OPENCLAW_GATEWAY_PORT=0", "OPENCLAW_GATEWAY_BIND=loopback",
                                       "OPENCLAW_GATEWAY_TOKEN=ENV", NULL };
    struct outcome file = resolve(json, NULL, false);
    struct outcome both = resolve(json, env, false);

    (void)state;
    assert_int_equal(file.config.port, 1234);
    assert_string_equal(file.config.host, "0.0.0.0");
    assert_string_equal(file.config.token, "FILE");
    assert_int_equal(both.r, 0);
    assert_int_equal(both.config.port, 0);
    assert_string_equal(both.config.host, "127.0.0.1");
    assert_string_equal(both.config.token, "ENV");
}

static void leaves_a_reference_to_who_resolves_it(void **state)
{
    static const char *const json[] = { "{gateway:{auth:{token:{source:'exec',provider:'vault',id:'t'}}}}",
                                        "{gateway:{auth:{token:'${MY_TOKEN}'}}}" };
    static const char *const env[] = { "MY_TOKEN=SECRET", NULL };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(json); i++) {
        struct outcome found = resolve(json[i], env, false);

        assert_int_equal(found.r, 0);
        assert_true(found.config.is_token_ref && !found.config.is_password_ref);
        assert_string_equal(found.config.token, "");
        assert_int_equal(found.config.auth, GATEWAY_AUTH_TOKEN);
    }
    struct outcome both = resolve("{gateway:{auth:{password:'${P}',token:'T'}}}", NULL, false);
    assert_true(both.config.is_auth_ambiguous);
}

static void a_secret_of_the_gateway_must_be_worth_something(void **state)
{
    char long_one[GATEWAY_CONFIG_SECRET_MAX];

    (void)state;
    memset(long_one, 'x', sizeof(long_one));
    assert_null(gateway_secret_problem((struct span){ long_one, sizeof(long_one) - 1 }));
    assert_non_null(gateway_secret_problem((struct span){ long_one, sizeof(long_one) }));
    assert_non_null(gateway_secret_problem(SPAN_LIT("change-me-now")));
    assert_non_null(gateway_secret_problem(SPAN_LIT("  ")));
    assert_non_null(gateway_secret_problem((struct span){ "a\0b", 3 }));
}

static void derives_the_auth_mode_from_what_is_configured(void **state)
{
    (void)state;
    assert_int_equal(resolve("{gateway:{auth:{password:'P'}}}", NULL, false).config.auth, GATEWAY_AUTH_PASSWORD);
    assert_int_equal(resolve("{gateway:{auth:{password:'P',token:'T'}}}", NULL, false).config.auth, GATEWAY_AUTH_TOKEN);
    assert_int_equal(resolve("{gateway:{auth:{mode:'none'}}}", NULL, false).config.auth, GATEWAY_AUTH_NONE);
}

static void lets_an_override_choose_the_auth_mode(void **state)
{
    static const char *const password[] = { "OPENCLAW_GATEWAY_AUTH=password", "OPENCLAW_GATEWAY_PASSWORD=P", NULL };
    static const char *const none[] = { "OPENCLAW_GATEWAY_AUTH=none", NULL };
    static const char *const wrong[] = { "OPENCLAW_GATEWAY_AUTH=open", NULL };
    static const char json[] = "{gateway:{mode:'local',auth:{mode:'token',token:'T'}}}";
    struct outcome out = resolve(json, password, true);

    (void)state;
    assert_int_equal(out.r, 0);
    assert_int_equal(out.config.auth, GATEWAY_AUTH_PASSWORD);
    assert_string_equal(out.config.password, "P");
    assert_int_equal(resolve(json, none, true).config.auth, GATEWAY_AUTH_NONE);
    assert_int_equal(resolve(json, wrong, true).r, GATEWAY_CONFIG_E_REFUSED);
}

static void refuses_values_that_make_no_sense(void **state)
{
    static const char *const bad[] = {
        "{gateway:[]}",
        "{gateway:{port:0}}",
        "{gateway:{port:65536}}",
        "{gateway:{port:'18789'}}",
        "{gateway:{port:1.5}}",
        "{gateway:{bind:'0.0.0.0'}}",
        "{gateway:{bind:7}}",
        "{gateway:{bind:'custom'}}",
        "{gateway:{bind:'custom',customBindHost:'example.com'}}",
        "{gateway:{auth:{mode:'open'}}}",
        "{gateway:{auth:{mode:true}}}",
        "{gateway:{tls:{enabled:true,certPath:'a.pem'}}}",
        "{gateway:{tls:{enabled:true,keyPath:'a.pem'}}}",
    };
    static const char *const ports[] = { "OPENCLAW_GATEWAY_PORT=80x", "OPENCLAW_GATEWAY_PORT=-1",
                                         "OPENCLAW_GATEWAY_PORT=65536", "OPENCLAW_GATEWAY_PORT= 1" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct outcome out = resolve(bad[i], NULL, false);
        assert_int_equal(out.r, GATEWAY_CONFIG_E_REFUSED);
        assert_true(strlen(out.error.text) > 10);
    }
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        const char *const env[] = { ports[i], NULL };
        assert_int_equal(resolve(NULL, env, false).r, GATEWAY_CONFIG_E_REFUSED);
    }
}

static void binds_to_an_address_of_ones_own_choice(void **state)
{
    struct outcome out = resolve("{gateway:{bind:'custom',customBindHost:'::1'}}", NULL, false);

    (void)state;
    assert_int_equal(out.r, 0);
    assert_string_equal(out.config.host, "::1");
}

static void starts_only_where_it_was_told_to(void **state)
{
    static const char *const allowed[] = { "OPENCLAW_ALLOW_UNCONFIGURED=1", "OPENCLAW_GATEWAY_TOKEN=T", NULL };
    static const char *const denied[] = { "OPENCLAW_ALLOW_UNCONFIGURED=0", "OPENCLAW_GATEWAY_TOKEN=T", NULL };

    (void)state;
    assert_int_equal(resolve("{gateway:{mode:'local',auth:{token:'T'}}}", NULL, true).r, 0);
    assert_int_equal(resolve("{gateway:{auth:{token:'T'}}}", NULL, true).r, GATEWAY_CONFIG_E_REFUSED);
    assert_int_equal(resolve("{gateway:{mode:'remote',auth:{token:'T'}}}", NULL, true).r, GATEWAY_CONFIG_E_REFUSED);
    assert_int_equal(resolve(NULL, denied, true).r, GATEWAY_CONFIG_E_REFUSED);
    assert_int_equal(resolve(NULL, allowed, true).r, 0);
}

static void never_listens_beyond_loopback_without_auth(void **state)
{
    struct outcome lan = resolve("{gateway:{mode:'local',bind:'lan',auth:{mode:'none'}}}", NULL, true);

    (void)state;
    assert_int_equal(lan.r, GATEWAY_CONFIG_E_REFUSED);
    assert_non_null(strstr(lan.error.text, "0.0.0.0"));
    assert_int_equal(resolve("{gateway:{mode:'local',bind:'loopback',auth:{mode:'none'}}}", NULL, true).r, 0);
    assert_int_equal(resolve("{gateway:{mode:'local',bind:'lan',auth:{token:'T'}}}", NULL, true).r, 0);
}

static void wants_a_secret_to_compare_with(void **state)
{
    (void)state;
    assert_int_equal(resolve("{gateway:{mode:'local'}}", NULL, true).r, GATEWAY_CONFIG_E_NO_SECRET);
    assert_int_equal(resolve("{gateway:{mode:'local',auth:{mode:'password',token:'T'}}}", NULL, true).r,
                     GATEWAY_CONFIG_E_NO_SECRET);
}

static void keeps_hooks_from_being_operators(void **state)
{
    (void)state;
    assert_int_equal(resolve("{gateway:{mode:'local',auth:{token:'T'}},hooks:{token:'T'}}", NULL, true).r,
                     GATEWAY_CONFIG_E_REFUSED);
    assert_int_equal(resolve("{gateway:{mode:'local',auth:{token:'T'}},hooks:{token:'H'}}", NULL, true).r, 0);
}

#define LOCAL "mode:'local'"

static void refuses_ways_of_letting_in_that_cannot_hold(void **state)
{
    static const struct {
        const char *json;
        const char *why;
    } bad[] = {
        { "{gateway:{" LOCAL ",auth:{token:'T',password:'P'}}}", "gateway.auth.mode" },
        { "{gateway:{" LOCAL ",auth:{token:'change-me-now'}}}", "example" },
        { "{gateway:{" LOCAL ",auth:{mode:'password',password:'change-me-to-a-strong-password'}}}", "example" },
        { "{gateway:{" LOCAL ",auth:{token:'   '}}}", "blank" },
        { "{gateway:{" LOCAL ",auth:{token:'undefined'}}}", "example" },
        { "{gateway:{" LOCAL ",auth:{token:'T'}},hooks:{token:'T'}}", "hooks.token" },
        { "{gateway:{" LOCAL ",auth:{mode:'trusted-proxy'}}}", "userHeader" },
        { "{gateway:{" LOCAL ",auth:{mode:'trusted-proxy',trustedProxy:{userHeader:'x-user'}}}}", "trustedProxies" },
        { "{gateway:{" LOCAL ",trustedProxies:['10.0.0.1'],auth:{mode:'trusted-proxy',token:'T',"
          "trustedProxy:{userHeader:'x-user'}}}}",
          "gateway token" },
        { "{gateway:{" LOCAL ",tailscale:{mode:'funnel'},auth:{token:'T'}}}", "funnel" },
    };
    static const char *const fine[] = {
        "{gateway:{" LOCAL ",auth:{mode:'password',token:'T',password:'P'}}}",
        "{gateway:{" LOCAL ",trustedProxies:['10.0.0.1'],bind:'lan',auth:{mode:'trusted-proxy',password:'P',"
        "trustedProxy:{userHeader:'x-user'}}}}",
        "{gateway:{" LOCAL ",tailscale:{mode:'funnel'},auth:{password:'P'}}}",
    };
    static const char *const by_run[] = { "OPENCLAW_GATEWAY_PASSWORD=P", NULL };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct outcome out = resolve(bad[i].json, NULL, true);
        if (out.r != GATEWAY_CONFIG_E_REFUSED || !strstr(out.error.text, bad[i].why)) {
            fail_msg("%s: %d %s", bad[i].json, out.r, out.error.text);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        struct outcome out = resolve(fine[i], NULL, true);
        if (out.r) {
            fail_msg("%s: %s", fine[i], out.error.text);
        }
    }
    struct outcome given = resolve("{gateway:{" LOCAL ",auth:{token:'T'}}}", by_run, true);
    assert_int_equal(given.r, 0);
    assert_int_equal(given.config.auth, GATEWAY_AUTH_PASSWORD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_ways_of_letting_in_that_cannot_hold),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(lets_the_environment_win_over_the_file),
        cmocka_unit_test(leaves_a_reference_to_who_resolves_it),
        cmocka_unit_test(a_secret_of_the_gateway_must_be_worth_something),
        cmocka_unit_test(derives_the_auth_mode_from_what_is_configured),
        cmocka_unit_test(lets_an_override_choose_the_auth_mode),
        cmocka_unit_test(refuses_values_that_make_no_sense),
        cmocka_unit_test(binds_to_an_address_of_ones_own_choice),
        cmocka_unit_test(starts_only_where_it_was_told_to),
        cmocka_unit_test(never_listens_beyond_loopback_without_auth),
        cmocka_unit_test(wants_a_secret_to_compare_with),
        cmocka_unit_test(keeps_hooks_from_being_operators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
