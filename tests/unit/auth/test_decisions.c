/* Scopes, secrets, pairing and refusals: what follows from what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/auth/pairing.h"
#include "actors/auth/refusal.h"
#include "actors/auth/scopes.h"
#include "actors/auth/secret.h"
#include "actors/auth/settings.h"
#include "bus/base/cleanup.h"
#include "bus/failure.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema_gen.h"

static void json_pack(const char *json, struct pack *out)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;

    pack_reset(out);
    assert_int_equal(json_to_pack(span_from(json), &opts, out, &error), 0);
}

static void assert_json(struct span value, const char *expected)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    assert_int_equal(json_from_value(value, &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, expected);
}

static void drops_scopes_that_it_does_not_know(void **state)
{
    struct pack in;
    struct pack out;

    (void)state;
    pack_init(&in, 0);
    pack_init(&out, 0);
    json_pack("['operator.write','operator.root','operator.admin','operator.write',7]", &in);
    scopes_pack_asked(pack_span(&in), &out);
    assert_json(pack_span(&out), "[\"operator.write\",\"operator.admin\"]");
    pack_reset(&out);
    scopes_pack(scopes_expand(scopes_from_list(pack_span(&in))), &out);
    assert_json(pack_span(&out), "[\"operator.admin\",\"operator.read\",\"operator.write\"]");
    pack_deinit(&in);
    pack_deinit(&out);
}

static void keeps_scopes_through_the_database(void **state)
{
    char text[SCOPES_TEXT_MAX];

    (void)state;
    for (uint32_t mask = 0; mask <= SCOPES_ALL; mask++) {
        scopes_format(mask, text);
        assert_int_equal(scopes_parse(text), mask);
    }
}

static void compares_secrets_of_any_length(void **state)
{
    struct secret_key key;

    (void)state;
    assert_int_equal(secret_key_init(&key), 0);
    assert_true(secret_match(&key, SPAN_LIT("TOKEN"), SPAN_LIT("TOKEN")));
    assert_false(secret_match(&key, SPAN_LIT("TOKE"), SPAN_LIT("TOKEN")));
    assert_false(secret_match(&key, SPAN_LIT("TOKEN2"), SPAN_LIT("TOKEN")));
    assert_false(secret_match(&key, SPAN_LIT(""), SPAN_LIT("TOKEN")));
    assert_false(secret_match(&key, SPAN_LIT(""), SPAN_LIT("")));
    assert_false(secret_match(&key, SPAN_LIT("TOKEN"), (struct span){ 0 }));
}

static void makes_tokens_of_43_different_looking_letters(void **state)
{
    char a[SECRET_TOKEN_LEN];
    char b[SECRET_TOKEN_LEN];

    (void)state;
    assert_int_equal(secret_token_generate(a), 0);
    assert_int_equal(secret_token_generate(b), 0);
    assert_int_equal(strlen(a), 43);
    assert_string_not_equal(a, b);
    assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
}

static void pairs_silently_only_on_this_machine_with_the_secret(void **state)
{
    struct pairing_facts facts = { .proof = PAIRING_PROOF_SECRET, .is_local = true, .asked = SCOPES_ALL };

    (void)state;
    assert_true(pairing_decide(&facts).is_silent);
    assert_int_equal(pairing_decide(&facts).reason, REFUSAL_NOT_PAIRED);
    facts.is_local = false;
    assert_false(pairing_decide(&facts).is_silent);
    facts.is_local = true;
    facts.proof = PAIRING_PROOF_DEVICE_TOKEN;
    assert_false(pairing_decide(&facts).is_silent);
    facts.proof = PAIRING_PROOF_SECRET;
    facts.has_origin = true;
    assert_false(pairing_decide(&facts).is_silent);
    facts.is_ui = true;
    assert_true(pairing_decide(&facts).is_silent);
}

static void pairs_a_fresh_node_by_a_setup_code_or_a_network_of_the_config(void **state)
{
    struct pairing_facts facts = { .proof = PAIRING_PROOF_BOOTSTRAP, .is_node = true };

    (void)state;
    assert_true(pairing_decide(&facts).is_silent);
    facts.asked = SCOPES_READ;
    assert_false(pairing_decide(&facts).is_silent);
    facts = (struct pairing_facts){ .proof = PAIRING_PROOF_SECRET, .is_node = true, .is_node_net = true };
    assert_true(pairing_decide(&facts).is_silent);
    facts.is_node = false;
    assert_false(pairing_decide(&facts).is_silent);
    facts.is_node = facts.is_paired = true;
    assert_false(pairing_decide(&facts).is_silent);
}

static void names_what_a_known_device_is_missing(void **state)
{
    struct pairing_facts facts = {
        .proof = PAIRING_PROOF_SECRET,
        .is_paired = true,
        .has_role = true,
        .is_meta_same = true,
        .approved = SCOPES_WRITE, /* which implies read */
        .asked = SCOPES_READ,
    };

    (void)state;
    assert_int_equal(pairing_decide(&facts).reason, REFUSAL_NONE);
    facts.asked = SCOPES_ALL;
    assert_int_equal(pairing_decide(&facts).reason, REFUSAL_SCOPE_UPGRADE);
    facts.approved = SCOPES_ADMIN;
    assert_int_equal(pairing_decide(&facts).reason, REFUSAL_NONE);
    facts.has_role = false;
    assert_int_equal(pairing_decide(&facts).reason, REFUSAL_ROLE_UPGRADE);
    facts.was_revoked = true;
    assert_int_equal(pairing_decide(&facts).reason, REFUSAL_ROLE_REVOKED);
    facts.is_meta_same = false;
    assert_int_equal(pairing_decide(&facts).reason, REFUSAL_METADATA_UPGRADE);
    facts.is_local = facts.has_origin = facts.is_ui = true;
    assert_false(pairing_decide(&facts).is_silent);
}

static void tells_each_kind_of_client_what_helps_it(void **state)
{
    struct refusal_facts facts = { .audience = REFUSAL_FOR_CLI, .can_retry_with_device_token = true };
    char text[REFUSAL_TEXT_MAX];
    struct pack out;

    (void)state;
    pack_init(&out, 0);
    refusal_text(REFUSAL_TOKEN, &facts, text);
    assert_string_equal(text, "unauthorized: gateway token mismatch (set gateway.remote.token to match "
                              "gateway.auth.token)");
    assert_int_equal(refusal_code(REFUSAL_TOKEN), FAIL_INVALID_REQUEST);
    refusal_pack(REFUSAL_TOKEN, &facts, &out);
    assert_json(pack_span(&out), "{\"code\":\"AUTH_TOKEN_MISMATCH\",\"authReason\":\"token_mismatch\","
                                 "\"canRetryWithDeviceToken\":true,\"recommendedNextStep\":"
                                 "\"retry_with_device_token\",\"credential\":\"gateway.auth.token\",\"remedy\":"
                                 "\"look into the file that this names: openclaw config file; a device token "
                                 "that is no longer known here is taken for a wrong one: connect once with "
                                 "gateway.auth.token\",\"_closeCode\":1008,\"_closeReason\":\"unauthorized: "
                                 "gateway token mismatch (set gateway.remote.token to match gateway.auth.token)\"}");
    pack_deinit(&out);
}

static void cuts_the_close_reason_to_what_a_frame_may_hold(void **state)
{
    struct refusal_facts facts = {
        .request_id = "865820c7-8f55-4201-bbaa-ac3fab302a39",
        .device_id = SPAN_LIT("aeb6"),
        .requested_role = "operator",
        .requested_scopes = SPAN_LIT("\x90"),
        .is_known = true,
        .approved_roles = "operator,node",
        .approved_scopes = SCOPES_READ,
    };
    struct pack out;

    (void)state;
    pack_init(&out, 0);
    refusal_pack(REFUSAL_SCOPE_UPGRADE, &facts, &out);
    assert_int_equal(refusal_code(REFUSAL_SCOPE_UPGRADE), FAIL_NOT_PAIRED);
    struct span reason = value_str(value_get(pack_span(&out), "_closeReason"), (struct span){ 0 });
    assert_true(span_is_text(reason, "pairing required: device is asking for more scopes than currently approved "
                                     "(requestId: 865820c7-8f55-4201-bbaa-ac3fab302"));
    assert_json(value_get(pack_span(&out), "approvedRoles"), "[\"operator\",\"node\"]");
    assert_json(value_get(pack_span(&out), "approvedScopes"), "[\"operator.read\"]");
    pack_deinit(&out);
}

static void voids_decisions_only_when_they_would_differ(void **state)
{
    struct settings settings;
    struct pack in;
    struct pack before;
    struct pack after;

    (void)state;
    settings_init(&settings);
    pack_init(&in, 0);
    pack_init(&before, 0);
    pack_init(&after, 0);
    json_pack("{auth:{mode:'token',token:'A'}}", &in);
    assert_int_equal(settings_apply(&settings, pack_span(&in), (struct span){ 0 }), 0);
    settings_describe(&settings, &before);
    json_pack("{port:1,auth:{mode:'token',token:'A',password:'x',rateLimit:{maxAttempts:2}}}", &in);
    assert_int_equal(settings_apply(&settings, pack_span(&in), (struct span){ 0 }), 0);
    assert_int_equal(settings.rules.attempts_max, 2);
    assert_true(span_is(pack_span(&before), settings_describe(&settings, &after)));
    json_pack("{auth:{mode:'token',token:'B'}}", &in);
    assert_int_equal(settings_apply(&settings, pack_span(&in), (struct span){ 0 }), 0);
    assert_false(span_is(pack_span(&before), settings_describe(&settings, &after)));
    json_pack("{auth:{mode:'kerberos'}}", &in);
    assert_int_equal(settings_apply(&settings, pack_span(&in), (struct span){ 0 }), SETTINGS_E_REFUSED);
    assert_string_equal(settings.token, "B");
    settings_deinit(&settings);
    pack_deinit(&in);
    pack_deinit(&before);
    pack_deinit(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drops_scopes_that_it_does_not_know),
        cmocka_unit_test(keeps_scopes_through_the_database),
        cmocka_unit_test(compares_secrets_of_any_length),
        cmocka_unit_test(makes_tokens_of_43_different_looking_letters),
        cmocka_unit_test(pairs_silently_only_on_this_machine_with_the_secret),
        cmocka_unit_test(pairs_a_fresh_node_by_a_setup_code_or_a_network_of_the_config),
        cmocka_unit_test(names_what_a_known_device_is_missing),
        cmocka_unit_test(tells_each_kind_of_client_what_helps_it),
        cmocka_unit_test(cuts_the_close_reason_to_what_a_frame_may_hold),
        cmocka_unit_test(voids_decisions_only_when_they_would_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
