/*
 * The whole judgement, first against handshakes recorded with another implementation of
 * the protocol (tests/data/handshakes.jsonl), then story by story.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "actors/auth/judge.h"
#include "actors/auth/scopes.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema/error.h"
#include "tests/unit/auth/vectors.h"

#define NOTHING ((struct span){ 0 })

struct rig {
    char dir[64];
    struct judge *judge;
    struct pack doc;
    struct pack out;
    struct judge_verdict verdict;
};

static void settings_put(struct rig *rig, const char *json)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;
    struct pack doc;

    pack_init(&doc, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, &doc, &error), 0);
    assert_int_equal(settings_apply(&rig->judge->settings, pack_span(&doc), (struct span){ 0 }), 0);
    judge_rules_update(rig->judge);
    pack_deinit(&doc);
}

static int setup(void **state)
{
    struct rig *rig = mem_new(sizeof(*rig));
    char path[96];

    *state = rig;
    strcpy(rig->dir, "/tmp/openclaw-judge-XXXXXX");
    if (!mkdtemp(rig->dir)) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/auth.sqlite", rig->dir);
    pack_init(&rig->doc, 0);
    pack_init(&rig->out, 0);
    rig->judge = mem_new(sizeof(*rig->judge));
    int fault = judge_init(rig->judge, path);
    settings_put(rig, "{auth:{mode:'token',token:'TOKEN-DUMMY-0001',password:'PASSWORD-DUMMY-0001'}}");
    return fault;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    char command[128];

    judge_deinit(rig->judge);
    free(rig->judge);
    pack_deinit(&rig->doc);
    pack_deinit(&rig->out);
    snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    int r = system(command);
    free(rig);
    return r;
}

static void assert_same(struct span actual, struct span expected, const char *what)
{
    CLEANUP(text_buf_deinit) struct text_buf a = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf b = { 0 };

    assert_int_equal(json_from_value(actual, &a), 0);
    assert_int_equal(json_from_value(expected, &b), 0);
    if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0) {
        fail_msg("%s: got %.*s, expected %.*s", what, (int)a.len, a.data, (int)b.len, b.data);
    }
}

/* --- recorded handshakes --------------------------------------------------------------------- */

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), NOTHING);
}

/* Of a device that is not paired, ours says so: it has no token that could be rotated. */
static void words_compare(const struct rig *rig, struct span recorded, struct span ours, const char *name)
{
    static const char head[] = "unauthorized: device token mismatch (";
    bool is_clearer = rig->verdict.refusal == REFUSAL_DEVICE_TOKEN_UNPAIRED;

    if (is_clearer ? !span_starts(recorded, head) || !span_starts(ours, head) : !span_is(recorded, ours)) {
        fail_msg("%s: got %.*s, expected %.*s", name, SPAN_FMT(ours), SPAN_FMT(recorded));
    }
}

static void refusal_compare(struct rig *rig, const struct judge_ask *ask, struct span wanted, const char *name)
{
    struct value_iter it = value_iter(value_get(wanted, "details"));
    char text[REFUSAL_TEXT_MAX];
    struct span key;
    struct span item;

    assert_int_not_equal(rig->verdict.refusal, REFUSAL_NONE);
    refusal_text(rig->verdict.refusal, &rig->verdict.facts, text);
    words_compare(rig, text_of(wanted, "message"), span_from(text), name);
    assert_true(span_is_text(text_of(wanted, "code"), schema_error_find(refusal_code(rig->verdict.refusal))->wire));
    struct pack scopes;
    pack_init(&scopes, 0);
    scopes_pack_asked(ask->request->scopes, &scopes);
    rig->verdict.facts.requested_scopes = pack_span(&scopes);
    pack_reset(&rig->out);
    refusal_pack(rig->verdict.refusal, &rig->verdict.facts, &rig->out);
    pack_deinit(&scopes);
    struct span details = pack_span(&rig->out);
    /* Beside what clients know stand the close frame and, where something was looked at, what and what to do. */
    uint32_t added = value_get(details, "credential").len ? 4 : 2;
    assert_int_equal(value_count(details), value_count(value_get(wanted, "details")) + added);
    while (value_next(&it, &key, &item)) {
        char field[64];
        snprintf(field, sizeof(field), "%.*s", SPAN_FMT(key));
        assert_same(value_get(details, field), item, name);
    }
    assert_same(value_get(details, "_closeCode"), value_get(wanted, "closeCode"), name);
    words_compare(rig, text_of(wanted, "closeReason"), text_of(details, "_closeReason"), name);
}

static void handshake_replay(struct span wanted)
{
    void *state = NULL;
    char name[96];
    char auth[256];

    assert_int_equal(setup(&state), 0);
    struct rig *rig = state;
    snprintf(name, sizeof(name), "%.*s", SPAN_FMT(text_of(wanted, "name")));
    snprintf(auth, sizeof(auth), "{auth:{mode:'%.*s',token:'TOKEN-DUMMY-0001',password:'PASSWORD-DUMMY-0001'}}",
             SPAN_FMT(text_of(wanted, "mode")));
    settings_put(rig, auth);
    struct connect_request request;
    struct connect_peer peer = {
        .remote = SPAN_LIT("127.0.0.1"),
        .client = SPAN_LIT("127.0.0.1"),
        .is_loopback = true,
        .host = SPAN_LIT("127.0.0.1:18789"),
        .origin = text_of(wanted, "origin"),
    };
    struct judge_ask ask = {
        .peer = &peer,
        .request = &request,
        .protocol = 3,
        .nonce = text_of(wanted, "nonce"),
        .now = { .wall_ms = value_i64(value_get(wanted, "nowMs"), 0), .mono_ms = 1 },
    };
    assert_int_equal(connect_parse(value_get(wanted, "params"), &request), 0);
    assert_int_equal(judge_connect(rig->judge, &ask, &rig->verdict), 0);
    if (text_of(wanted, "code").len) {
        refusal_compare(rig, &ask, wanted, name);
    } else {
        if (rig->verdict.refusal != REFUSAL_NONE) {
            fail_msg("%s: refused with %d", name, (int)rig->verdict.refusal);
        }
        judge_scopes_pack(&ask, &rig->verdict, &rig->out);
        /* Who holds the secret on this machine could take these scopes anyway; here he gets them. */
        bool is_cleared = !strcmp(name, "hs-shared-token-no-device-scopes-cleared") ||
                          (!request.device.is_present && !value_count(value_get(wanted, "scopes")));
        struct span scopes = value_get(is_cleared ? value_get(wanted, "params") : wanted, "scopes");
        assert_same(pack_span(&rig->out), scopes.len ? scopes : SPAN_LIT("\x90"), name);
    }
    assert_int_equal(teardown(&state), 0);
}

static void decides_recorded_handshakes_as_they_were_decided(void **state)
{
    FILE *file = fopen(TEST_DATA "/handshakes.jsonl", "r");
    char *line = NULL;
    size_t cap = 0;
    unsigned count = 0;

    (void)state;
    assert_non_null(file);
    while (getline(&line, &cap, file) > 0) {
        struct json_opts opts = { 0 };
        struct json_error error;
        struct pack doc;
        pack_init(&doc, 0);
        assert_int_equal(json_to_pack(span_from(line), &opts, &doc, &error), 0);
        handshake_replay(pack_span(&doc));
        pack_deinit(&doc);
        count++;
    }
    free(line);
    fclose(file);
    assert_int_equal(count, 40);
}

/* --- stories ------------------------------------------------------------------------------------ */

/* The device of the first vector connects; what it signed is the shared token. */
static enum refusal device_connect(struct rig *rig, struct connect_peer peer, const char *device_token)
{
    struct json_opts opts = { 0 };
    struct json_error error;
    struct connect_request request;
    struct judge_ask ask = {
        .peer = &peer,
        .request = &request,
        .protocol = 3,
        .nonce = span_from(vectors[0].nonce),
        .now = { .wall_ms = vectors[0].signed_at_ms, .mono_ms = 1 },
    };

    pack_reset(&rig->doc);
    assert_int_equal(json_to_pack(span_from(vectors[0].params), &opts, &rig->doc, &error), 0);
    assert_int_equal(connect_parse(pack_span(&rig->doc), &request), 0);
    if (device_token) {
        request.device_token = span_from(device_token);
    }
    assert_int_equal(judge_connect(rig->judge, &ask, &rig->verdict), 0);
    return rig->verdict.refusal;
}

static struct connect_peer near(void)
{
    return (
        struct connect_peer){ .remote = SPAN_LIT("127.0.0.1"), .client = SPAN_LIT("127.0.0.1"), .is_loopback = true };
}

static struct connect_peer far(void)
{
    return (struct connect_peer){ .remote = SPAN_LIT("203.0.113.9"),
                                  .client = SPAN_LIT("203.0.113.9"),
                                  .host = SPAN_LIT("localhost") };
}

static void pairs_a_device_of_this_machine_and_knows_it_again(void **state)
{
    struct rig *rig = *state;
    char token[SECRET_TOKEN_LEN];

    assert_int_equal(device_connect(rig, near(), NULL), REFUSAL_NONE);
    assert_int_equal(rig->verdict.record.tokens[CONNECT_ROLE_OPERATOR].scopes, scopes_expand(SCOPES_WRITE));
    strcpy(token, rig->verdict.tokens[CONNECT_ROLE_OPERATOR].text);
    assert_int_equal(device_connect(rig, near(), NULL), REFUSAL_NONE);
    assert_string_equal(rig->verdict.tokens[CONNECT_ROLE_OPERATOR].text, token);
    /* from now on it needs no gateway token, wherever it is */
    settings_put(rig, "{auth:{mode:'token',token:'CHANGED'}}");
    assert_int_equal(device_connect(rig, far(), token), REFUSAL_NONE);
    assert_string_equal(rig->verdict.method, "device-token");
    assert_int_equal(device_connect(rig, far(), "ANOTHER"), REFUSAL_DEVICE_TOKEN);
    assert_int_equal(device_connect(rig, far(), NULL), REFUSAL_TOKEN);
}

static void makes_a_device_from_afar_wait_for_an_operator(void **state)
{
    struct rig *rig = *state;
    char request_id[37];

    assert_int_equal(device_connect(rig, far(), NULL), REFUSAL_NOT_PAIRED);
    assert_int_equal(strlen(rig->verdict.request.id), 36);
    strcpy(request_id, rig->verdict.request.id);
    assert_int_equal(device_connect(rig, far(), NULL), REFUSAL_NOT_PAIRED);
    assert_string_equal(rig->verdict.request.id, request_id);
    struct connect_peer proxied = near();
    proxied.has_proxy_header = true;
    assert_int_equal(device_connect(rig, proxied, NULL), REFUSAL_NOT_PAIRED);
}

static enum refusal token_connect(struct rig *rig, struct connect_peer peer, const char *token, uint64_t mono_ms)
{
    struct connect_request request = {
        .protocol_min = 3,
        .protocol_max = 3,
        .client_id = SPAN_LIT("gateway-client"),
        .client_mode = SPAN_LIT("backend"),
        .scopes = SPAN_LIT("\x91\xaeoperator.admin"),
        .token = span_from(token),
    };
    struct judge_ask ask = { .peer = &peer, .request = &request, .protocol = 3, .now = { .mono_ms = mono_ms } };

    assert_int_equal(judge_connect(rig->judge, &ask, &rig->verdict), 0);
    pack_reset(&rig->out);
    judge_scopes_pack(&ask, &rig->verdict, &rig->out);
    return rig->verdict.refusal;
}

static void gives_no_scopes_to_a_helper_from_afar(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(token_connect(rig, near(), "TOKEN-DUMMY-0001", 1), REFUSAL_NONE);
    assert_int_equal(value_count(pack_span(&rig->out)), 1);
    assert_int_equal(token_connect(rig, far(), "TOKEN-DUMMY-0001", 1), REFUSAL_NONE);
    assert_int_equal(value_count(pack_span(&rig->out)), 0);
}

static void stops_listening_to_an_address_that_guesses(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(token_connect(rig, far(), "WRONG", 1000 + i), REFUSAL_TOKEN);
    }
    assert_int_equal(token_connect(rig, far(), "WRONG", 1100), REFUSAL_RATE);
    assert_int_equal(token_connect(rig, far(), "TOKEN-DUMMY-0001", 1100), REFUSAL_RATE);
    assert_true(rig->verdict.wait_ms > 299000);
    assert_int_equal(token_connect(rig, near(), "WRONG", 1100), REFUSAL_TOKEN);
    assert_int_equal(token_connect(rig, far(), "TOKEN-DUMMY-0001", 1009 + 300000), REFUSAL_NONE);
}

static void slows_down_this_machine_instead_of_locking_it_out(void **state)
{
    struct rig *rig = *state;

    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(token_connect(rig, near(), "WRONG", 1), REFUSAL_TOKEN);
    }
    assert_int_equal(token_connect(rig, near(), "WRONG", 1), REFUSAL_RATE);
    assert_int_equal(rig->verdict.wait_ms, 1000);
    assert_int_equal(token_connect(rig, near(), "TOKEN-DUMMY-0001", 1001), REFUSAL_NONE);
    assert_int_equal(token_connect(rig, near(), "WRONG", 1001), REFUSAL_TOKEN);
    assert_int_equal(token_connect(rig, near(), "WRONG", 1002), REFUSAL_RATE);
    assert_int_equal(token_connect(rig, near(), "WRONG", 2001), REFUSAL_TOKEN);
}

static void locks_this_machine_out_when_it_is_told_to(void **state)
{
    struct rig *rig = *state;

    settings_put(rig, "{auth:{token:'T',rateLimit:{exemptLoopback:false,maxAttempts:2}}}");
    assert_int_equal(token_connect(rig, near(), "WRONG", 1), REFUSAL_TOKEN);
    assert_int_equal(token_connect(rig, near(), "WRONG", 1), REFUSAL_TOKEN);
    assert_int_equal(token_connect(rig, near(), "WRONG", 100000), REFUSAL_RATE);
}

static void limits_pages_of_this_machine_by_their_origin(void **state)
{
    struct rig *rig = *state;
    struct connect_peer page = near();

    page.origin = SPAN_LIT("http://localhost:3000");
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(token_connect(rig, page, "WRONG", 1), REFUSAL_TOKEN);
    }
    assert_int_equal(token_connect(rig, page, "TOKEN-DUMMY-0001", 1), REFUSAL_RATE);
    page.origin = SPAN_LIT("http://localhost:4000");
    assert_int_equal(token_connect(rig, page, "TOKEN-DUMMY-0001", 1001), REFUSAL_NONE);
    page.origin = SPAN_LIT("http://localhost:3000");
    assert_int_equal(token_connect(rig, page, "TOKEN-DUMMY-0001", 1001), REFUSAL_RATE);
}

/* Only a browser cannot say what it likes there. */
static void slows_down_whoever_claims_another_origin_each_time(void **state)
{
    struct rig *rig = *state;
    struct connect_peer page = near();
    char origin[64];
    unsigned checked = 0;

    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(origin, sizeof(origin), "http://localhost:%u", 3000 + i);
        page.origin = span_from(origin);
        checked += token_connect(rig, page, "WRONG", 1 + i) == REFUSAL_TOKEN;
    }
    assert_int_equal(checked, 10);
    assert_int_equal(token_connect(rig, near(), "TOKEN-DUMMY-0001", 1001), REFUSAL_NONE);
}

static void counts_the_address_behind_every_origin_when_it_is_told_to(void **state)
{
    struct rig *rig = *state;
    struct connect_peer page = near();

    settings_put(rig, "{auth:{token:'T',rateLimit:{exemptLoopback:false,maxAttempts:2}}}");
    page.origin = SPAN_LIT("http://localhost:3000");
    assert_int_equal(token_connect(rig, page, "WRONG", 1), REFUSAL_TOKEN);
    page.origin = SPAN_LIT("http://localhost:4000");
    assert_int_equal(token_connect(rig, page, "WRONG", 1), REFUSAL_TOKEN);
    page.origin = SPAN_LIT("http://localhost:5000");
    assert_int_equal(token_connect(rig, page, "WRONG", 100000), REFUSAL_RATE);
}

static enum refusal bearer(struct rig *rig, struct connect_peer peer, const char *secret)
{
    struct judge_bearer_verdict verdict;

    judge_bearer(rig->judge, &peer, span_from(secret), (struct judge_time){ .mono_ms = 1 }, &verdict);
    return verdict.refusal;
}

static void wants_the_secret_of_the_mode_over_http(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(bearer(rig, far(), "TOKEN-DUMMY-0001"), REFUSAL_NONE);
    assert_int_equal(bearer(rig, far(), "PASSWORD-DUMMY-0001"), REFUSAL_TOKEN);
    assert_int_equal(bearer(rig, far(), ""), REFUSAL_TOKEN_MISSING);
    settings_put(rig, "{auth:{mode:'password',password:'P'}}");
    assert_int_equal(bearer(rig, far(), "P"), REFUSAL_NONE);
    settings_put(rig, "{auth:{mode:'token'}}");
    assert_int_equal(bearer(rig, far(), ""), REFUSAL_TOKEN_UNCONFIGURED);
}

static void keeps_other_sites_out_when_no_secret_is_needed(void **state)
{
    struct rig *rig = *state;
    struct connect_peer peer = near();

    settings_put(rig, "{auth:{mode:'none'}}");
    assert_int_equal(bearer(rig, peer, ""), REFUSAL_NONE);
    peer.origin = SPAN_LIT("http://evil.example");
    assert_int_equal(bearer(rig, peer, ""), REFUSAL_ORIGIN);
    peer.origin = SPAN_LIT("");
    peer.host = SPAN_LIT("rebound.example:18789");
    assert_int_equal(bearer(rig, peer, ""), REFUSAL_ORIGIN);
    assert_int_equal(bearer(rig, far(), ""), REFUSAL_ORIGIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_recorded_handshakes_as_they_were_decided),
        cmocka_unit_test_setup_teardown(pairs_a_device_of_this_machine_and_knows_it_again, setup, teardown),
        cmocka_unit_test_setup_teardown(makes_a_device_from_afar_wait_for_an_operator, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_no_scopes_to_a_helper_from_afar, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_listening_to_an_address_that_guesses, setup, teardown),
        cmocka_unit_test_setup_teardown(slows_down_this_machine_instead_of_locking_it_out, setup, teardown),
        cmocka_unit_test_setup_teardown(locks_this_machine_out_when_it_is_told_to, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_pages_of_this_machine_by_their_origin, setup, teardown),
        cmocka_unit_test_setup_teardown(slows_down_whoever_claims_another_origin_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_the_address_behind_every_origin_when_it_is_told_to, setup, teardown),
        cmocka_unit_test_setup_teardown(wants_the_secret_of_the_mode_over_http, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_other_sites_out_when_no_secret_is_needed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
