#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/auth/connect.h"
#include "actors/auth/device.h"
#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "tests/unit/auth/vectors.h"

#define NOW(vector) ((vector)->signed_at_ms)

/* `params` must outlive the request, which points into it. */
static void request_load(const char *json, struct pack *params, struct connect_request *request)
{
    struct json_opts opts = { 0 };
    struct json_error error;

    pack_reset(params);
    assert_int_equal(json_to_pack(span_from(json), &opts, params, &error), 0);
    assert_int_equal(connect_parse(pack_span(params), request), 0);
}

static void builds_the_payload_of_every_vector(void **state)
{
    struct pack params;
    struct connect_request request;

    (void)state;
    pack_init(&params, 0);
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        CLEANUP(text_buf_deinit) struct text_buf payload = { 0 };
        request_load(vectors[i].params, &params, &request);
        assert_int_equal(device_payload(vectors[i].version, &request, &payload), 0);
        assert_int_equal(payload.len, strlen(vectors[i].payload));
        assert_memory_equal(payload.data, vectors[i].payload, payload.len);
    }
    pack_deinit(&params);
}

static void accepts_the_signature_of_every_vector(void **state)
{
    struct pack params;
    struct connect_request request;

    (void)state;
    pack_init(&params, 0);
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        const struct vector *v = &vectors[i];
        request_load(v->params, &params, &request);
        assert_int_equal(device_verify(&request, span_from(v->nonce), NOW(v)), REFUSAL_NONE);
    }
    pack_deinit(&params);
}

static void refuses_what_differs_from_what_was_signed(void **state)
{
    struct pack params;
    struct connect_request request;
    const struct vector *v = &vectors[0];
    struct span nonce = span_from(v->nonce);

    (void)state;
    pack_init(&params, 0);
    request_load(v->params, &params, &request);
    request.token = SPAN_LIT("ANOTHER-TOKEN");
    assert_int_equal(device_verify(&request, nonce, NOW(v)), REFUSAL_DEVICE_SIGNATURE);
    request_load(v->params, &params, &request);
    request.client_mode = SPAN_LIT("backend");
    assert_int_equal(device_verify(&request, nonce, NOW(v)), REFUSAL_DEVICE_SIGNATURE);
    request_load(v->params, &params, &request);
    request.device.signature = SPAN_LIT("AAAA");
    assert_int_equal(device_verify(&request, nonce, NOW(v)), REFUSAL_DEVICE_SIGNATURE);
    pack_deinit(&params);
}

static void refuses_an_id_that_is_not_the_hash_of_the_key(void **state)
{
    struct pack params;
    struct connect_request request;
    const struct vector *v = &vectors[0];

    (void)state;
    pack_init(&params, 0);
    request_load(v->params, &params, &request);
    request.device.id = span_from(vectors[1].device_id);
    assert_int_equal(device_verify(&request, span_from(v->nonce), NOW(v)), REFUSAL_DEVICE_ID);
    request_load(v->params, &params, &request);
    request.device.public_key = SPAN_LIT("not base64 at all!");
    assert_int_equal(device_verify(&request, span_from(v->nonce), NOW(v)), REFUSAL_DEVICE_ID);
    pack_deinit(&params);
}

static void allows_two_minutes_of_skew_and_no_more(void **state)
{
    struct pack params;
    struct connect_request request;
    const struct vector *v = &vectors[0];
    struct span nonce = span_from(v->nonce);

    (void)state;
    pack_init(&params, 0);
    request_load(v->params, &params, &request);
    assert_int_equal(device_verify(&request, nonce, NOW(v) + DEVICE_SKEW_MS), REFUSAL_NONE);
    assert_int_equal(device_verify(&request, nonce, NOW(v) - DEVICE_SKEW_MS), REFUSAL_NONE);
    assert_int_equal(device_verify(&request, nonce, NOW(v) + DEVICE_SKEW_MS + 1), REFUSAL_DEVICE_STALE);
    assert_int_equal(device_verify(&request, nonce, NOW(v) - DEVICE_SKEW_MS - 1), REFUSAL_DEVICE_STALE);
    request.device.signed_at_ms = INT64_MAX;
    assert_int_equal(device_verify(&request, nonce, NOW(v)), REFUSAL_DEVICE_STALE);
    pack_deinit(&params);
}

static void wants_the_nonce_of_this_connection(void **state)
{
    struct pack params;
    struct connect_request request;
    const struct vector *v = &vectors[0];

    (void)state;
    pack_init(&params, 0);
    request_load(v->params, &params, &request);
    assert_int_equal(device_verify(&request, SPAN_LIT("another"), NOW(v)), REFUSAL_DEVICE_NONCE);
    request.device.nonce = SPAN_LIT("  \t");
    assert_int_equal(device_verify(&request, span_from(v->nonce), NOW(v)), REFUSAL_DEVICE_NONCE_MISSING);
    pack_deinit(&params);
}

static void reads_keys_in_both_alphabets_and_as_pem(void **state)
{
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MCowBQYDK2VwAyEAlBY1sw3uEAAhNlJA/tShmhPwP6TJIzEKJYvdBTfrp7A=\n"
                              "-----END PUBLIC KEY-----\n";
    unsigned char a[32];
    unsigned char b[32];
    char text[DEVICE_KEY_LEN];

    (void)state;
    assert_true(device_key_decode(SPAN_LIT("lBY1sw3uEAAhNlJA_tShmhPwP6TJIzEKJYvdBTfrp7A"), a));
    assert_true(device_key_decode(SPAN_LIT("lBY1sw3uEAAhNlJA/tShmhPwP6TJIzEKJYvdBTfrp7A="), b));
    assert_memory_equal(a, b, 32);
    assert_true(device_key_decode(span_from(pem), b));
    assert_memory_equal(a, b, 32);
    device_key_encode(a, text);
    assert_string_equal(text, "lBY1sw3uEAAhNlJA_tShmhPwP6TJIzEKJYvdBTfrp7A");
    assert_false(device_key_decode(SPAN_LIT("lBY1sw3uEAAhNlJA_tShmhPwP6TJIzEKJYvdBTfrp7"), b));
    assert_false(device_key_decode(SPAN_LIT("-----BEGIN PUBLIC KEY-----\nAAAA\n"), b));
    assert_false(device_key_decode(SPAN_LIT(""), b));
}

static void normalizes_what_a_client_says_about_its_machine(void **state)
{
    char text[DEVICE_META_MAX];

    (void)state;
    device_meta_normalize(SPAN_LIT("  iOS 18.4.0 "), text);
    assert_string_equal(text, "ios 18.4.0");
    device_meta_normalize((struct span){ 0 }, text);
    assert_string_equal(text, "");
    device_meta_normalize(SPAN_LIT("0123456789012345678901234567890123456789012345678901234567890123456789"), text);
    assert_int_equal(strlen(text), DEVICE_META_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_the_payload_of_every_vector),
        cmocka_unit_test(accepts_the_signature_of_every_vector),
        cmocka_unit_test(refuses_what_differs_from_what_was_signed),
        cmocka_unit_test(refuses_an_id_that_is_not_the_hash_of_the_key),
        cmocka_unit_test(allows_two_minutes_of_skew_and_no_more),
        cmocka_unit_test(wants_the_nonce_of_this_connection),
        cmocka_unit_test(reads_keys_in_both_alphabets_and_as_pem),
        cmocka_unit_test(normalizes_what_a_client_says_about_its_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
