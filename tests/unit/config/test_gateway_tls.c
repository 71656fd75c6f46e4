/* The certificate of the gateway: where it is, made once, checked, and its fingerprint. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/base/gateway_tls.h"
#include "tests/unit/config/support.h"

#define FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct outcome {
    int r;
    struct gateway_tls_files files;
    struct config_error error;
};

static struct outcome resolve(const char *json, const char *const *env)
{
    struct outcome out = { 0 };
    struct pack doc;

    pack_init(&doc, 0);
    json_pack(json, &doc);
    out.r = gateway_tls_resolve(pack_span(&doc), env_of(env), &out.files, &out.error);
    pack_deinit(&doc);
    return out;
}

static void the_pair_of_our_own_is_in_the_state_directory(void **state)
{
    static const char *const env[] = { "OPENCLAW_STATE_DIR=/var/state", NULL };
    struct outcome out = resolve("{tls:{enabled:true}}", env);

    (void)state;
    assert_int_equal(out.r, 0);
    assert_true(out.files.is_enabled && out.files.is_own && out.files.may_be_made);
    assert_string_equal(out.files.cert, "/var/state/gateway/tls/gateway-cert.pem");
    assert_string_equal(out.files.key, "/var/state/gateway/tls/gateway-key.pem");
    assert_string_equal(out.files.ca, "");
    assert_false(resolve("{tls:{enabled:true,autoGenerate:false}}", env).files.may_be_made);
    assert_false(resolve("{}", env).files.is_enabled);
}

static void given_files_are_not_made_unless_asked_for(void **state)
{
    static const char *const env[] = { "HOME=/home/me", NULL };
    struct outcome out = resolve("{tls:{enabled:true,certPath:'~/c.pem',keyPath:'/k.pem',caPath:'~x'}}", env);

    (void)state;
    assert_int_equal(out.r, 0);
    assert_false(out.files.is_own || out.files.may_be_made);
    assert_string_equal(out.files.cert, "/home/me/c.pem");
    assert_string_equal(out.files.key, "/k.pem");
    assert_string_equal(out.files.ca, "~x");
    assert_true(resolve("{tls:{enabled:true,certPath:'c',keyPath:'k',autoGenerate:true}}", env).files.may_be_made);
}

static void what_is_no_pair_of_paths_is_refused(void **state)
{
    static const char *const bad[] = {
        "{tls:{enabled:true,certPath:'c'}}",
        "{tls:{enabled:true,keyPath:'k'}}",
        "{tls:{enabled:true,certPath:'c\\u0000d',keyPath:'k'}}",
    };
    char json[1400];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct outcome out = resolve(bad[i], NULL);

        assert_int_equal(out.r, GATEWAY_TLS_E_REFUSED);
        assert_non_null(strstr(out.error.text, "gateway.tls"));
    }
    (void)snprintf(json, sizeof(json), "{tls:{enabled:true,keyPath:'k',certPath:'%0*d'}}", 1200, 0);
    assert_int_equal(resolve(json, NULL).r, GATEWAY_TLS_E_REFUSED);
}

static void fingerprints_are_read_in_every_spelling(void **state)
{
    static const char *const good[] = {
        FINGERPRINT,
        ("sha256:" FINGERPRINT),
        "SHA256:00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
        "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
    };
    static const char *const bad[] = { "", "sha256:", "12", FINGERPRINT "0", "x" FINGERPRINT, "md5:" FINGERPRINT };
    char out[GATEWAY_TLS_FINGERPRINT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        memset(out, 0, sizeof(out));
        assert_true(gateway_tls_fingerprint_parse(good[i], out));
        assert_string_equal(out, FINGERPRINT);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(gateway_tls_fingerprint_parse(bad[i], out));
    }
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void a_pair_is_made_once_and_can_be_used(void **state)
{
    char dir[] = "/tmp/openclaw-unit-tls-XXXXXX";
    char variable[64];
    const char *const env[] = { variable, NULL };
    struct gateway_tls_pair pair = { 0 };
    struct config_error error = { "" };
    char fingerprint[GATEWAY_TLS_FINGERPRINT_MAX];
    struct outcome out;
    bool is_made = false;
    char command[96];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(variable, sizeof(variable), "OPENCLAW_STATE_DIR=%s", dir);
    out = resolve("{tls:{enabled:true}}", env);
    assert_int_equal(gateway_tls_load(&out.files, &pair, &error), GATEWAY_TLS_E_REFUSED);
    assert_int_equal(gateway_tls_ensure(&out.files, &is_made, &error), 0);
    assert_true(is_made);
    assert_int_equal(mode_of(out.files.key), 0600);
    assert_int_equal(mode_of(out.files.cert), 0600);
    assert_int_equal(gateway_tls_load(&out.files, &pair, &error), 0);
    assert_int_equal(gateway_tls_fingerprint_of(&out.files, fingerprint, &error), 0);
    assert_string_equal(pair.fingerprint, fingerprint);
    assert_false(pair.is_early);
    gateway_tls_pair_deinit(&pair);
    assert_int_equal(gateway_tls_ensure(&out.files, &is_made, &error), 0);
    assert_false(is_made);
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a directory of our own */
}

static void nothing_is_made_where_it_may_not_be(void **state)
{
    struct outcome out = resolve("{tls:{enabled:true,certPath:'/nonexistent/c',keyPath:'/nonexistent/k'}}", NULL);
    struct config_error error = { "" };
    bool is_made = true;

    (void)state;
    assert_int_equal(gateway_tls_ensure(&out.files, &is_made, &error), 0);
    assert_false(is_made);
    out.files.may_be_made = true;
    assert_int_equal(gateway_tls_ensure(&out.files, &is_made, &error), GATEWAY_TLS_E_REFUSED);
    assert_non_null(strstr(error.text, "/nonexistent/k"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pair_of_our_own_is_in_the_state_directory),
        cmocka_unit_test(given_files_are_not_made_unless_asked_for),
        cmocka_unit_test(what_is_no_pair_of_paths_is_refused),
        cmocka_unit_test(fingerprints_are_read_in_every_spelling),
        cmocka_unit_test(a_pair_is_made_once_and_can_be_used),
        cmocka_unit_test(nothing_is_made_where_it_may_not_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
