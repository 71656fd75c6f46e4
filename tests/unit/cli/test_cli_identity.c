#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/cli/cli_identity.h"

static char dir[PATH_MAX];

static int dir_make(void **state)
{
    (void)state;
    (void)strcpy(dir, "/tmp/openclaw-identity-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static void path_of(const char *file, char out[PATH_MAX])
{
    assert_true(snprintf(out, PATH_MAX, "%.200s/%s", dir, file) < PATH_MAX);
}

static int dir_remove(void **state)
{
    static const char *const files[] = { "identity/device.json", "identity/device-auth.json", "identity", "" };
    char path[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        path_of(files[i], path);
        (void)remove(path); /* not every test makes every file */
    }
    return 0;
}

static void signs_as_the_protocol_says(void **state)
{
    /* A vector of the protocol's reference data. */
    static const char expected[] =
        "RXpR8cNwH8sQni4Gj-6ACUU57Ur_h5usNjnOiCC6MWmKnicXilOtMhXPIjwogZe8o4CSwWj2nVLNTR4v3-MBDA";
    static const struct cli_identity_claim claim = {
        .client_id = "cli",
        .client_mode = "cli",
        .role = "operator",
        .scopes = "operator.read,operator.write",
        .signed_at_ms = 1737264000000,
        .token = "TOKEN-DUMMY-0001",
        .nonce = { "11111111-2222-3333-4444-555555555555", 36 },
        .platform = "linux",
    };
    unsigned char seed[32];
    struct cli_identity identity;
    char signature[96];

    (void)state;
    for (size_t i = 0; i < sizeof(seed); i++) {
        seed[i] = (unsigned char)i;
    }
    assert_int_equal(cli_identity_from_seed(seed, &identity), 0);
    assert_string_equal(identity.device_id, "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c");
    assert_string_equal(identity.public_key, "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
    assert_int_equal(cli_identity_sign(&identity, &claim, signature), 0);
    assert_string_equal(signature, expected);
    cli_identity_deinit(&identity);
}

static void an_identity_is_made_once_and_kept_to_its_owner(void **state)
{
    struct cli_identity first;
    struct cli_identity second;
    struct stat info;
    char path[PATH_MAX];

    (void)state;
    assert_int_equal(cli_identity_load(dir, false, &first), CLI_IDENTITY_E_ABSENT);
    assert_int_equal(cli_identity_load(dir, true, &first), 0);
    assert_int_equal(cli_identity_load(dir, false, &second), 0);
    assert_string_equal(first.device_id, second.device_id);
    path_of("identity/device.json", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    cli_identity_deinit(&first);
    cli_identity_deinit(&second);
}

static void a_broken_identity_is_never_overwritten(void **state)
{
    struct cli_identity identity;
    char path[PATH_MAX];
    struct stat info;
    FILE *file;

    (void)state;
    path_of("identity", path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of("identity/device.json", path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("{\"privateKeyPem\": \"nonsense\"}", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(cli_identity_load(dir, true, &identity), CLI_IDENTITY_E_BROKEN);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 29);
}

static int token_keep(const char *role, const char *gateway, bool is_configured, const char *token)
{
    struct cli_identity_token which = { "d1", role, gateway, is_configured };

    return cli_identity_token_store(dir, &which, span_from(token), (struct span){ 0 });
}

/* NULL: it must find none. */
static void token_expect(struct cli_identity_token which, const char *expected)
{
    char token[CLI_IDENTITY_TOKEN_MAX] = "";

    assert_int_equal(cli_identity_token_load(dir, &which, token), expected ? 0 : CLI_IDENTITY_E_ABSENT);
    assert_string_equal(token, expected ? expected : "");
}

static void one_that_may_not_be_read_is_no_broken_one(void **state)
{
    struct cli_identity identity;
    char path[PATH_MAX];
    bool is_root = geteuid() == 0;

    (void)state;
    assert_int_equal(cli_identity_load(dir, true, &identity), 0);
    cli_identity_deinit(&identity);
    path_of("identity", path);
    assert_int_equal(chmod(path, is_root ? 0700 : 0), 0);
    assert_false(is_root && seteuid(65534));
    assert_int_equal(cli_identity_load(dir, true, &identity), -EACCES);
    assert_false(is_root && seteuid(0));
    assert_int_equal(chmod(path, 0700), 0);
}

static void tokens_are_kept_by_role_and_device(void **state)
{
    (void)state;
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://a:1", true }, NULL);
    assert_int_equal(token_keep("operator", "ws://a:1", true, "t-1"), 0);
    assert_int_equal(token_keep("node", "ws://a:1", true, "t-2"), 0);
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://a:1", true }, "t-1");
    token_expect((struct cli_identity_token){ "d1", "node", "ws://a:1", true }, "t-2");
    token_expect((struct cli_identity_token){ "d2", "operator", "ws://a:1", true }, NULL);
}

static void a_token_is_for_the_gateway_that_issued_it(void **state)
{
    (void)state;
    assert_int_equal(token_keep("operator", "ws://a:1", true, "of-a"), 0);
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://b:1", false }, NULL);
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://b:1", true }, NULL); /* the config changed */
    assert_int_equal(token_keep("operator", "ws://b:1", false, "of-b"), 0);
    assert_int_equal(token_keep("operator", "ws://c:1", true, "of-c"), 0);
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://a:1", false }, "of-a");
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://b:1", false }, "of-b");
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://c:1", false }, "of-c");
}

static void a_token_that_names_no_gateway_is_for_the_configured_one(void **state)
{
    char path[PATH_MAX];
    FILE *file;

    (void)state;
    path_of("identity", path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of("identity/device-auth.json", path);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(
        fputs("{\"version\": 1, \"deviceId\": \"d1\", \"tokens\": {\"operator\": {\"token\": \"t-0\"}}}", file) >= 0);
    assert_int_equal(fclose(file), 0);
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://a:1", true }, "t-0");
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://a:1", false }, NULL);
    assert_int_equal(token_keep("operator", "ws://b:1", false, "of-b"), 0);
    token_expect((struct cli_identity_token){ "d1", "operator", "ws://a:1", true }, "t-0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_the_protocol_says),
        cmocka_unit_test_setup_teardown(an_identity_is_made_once_and_kept_to_its_owner, dir_make, dir_remove),
        cmocka_unit_test_setup_teardown(a_broken_identity_is_never_overwritten, dir_make, dir_remove),
        cmocka_unit_test_setup_teardown(one_that_may_not_be_read_is_no_broken_one, dir_make, dir_remove),
        cmocka_unit_test_setup_teardown(tokens_are_kept_by_role_and_device, dir_make, dir_remove),
        cmocka_unit_test_setup_teardown(a_token_is_for_the_gateway_that_issued_it, dir_make, dir_remove),
        cmocka_unit_test_setup_teardown(a_token_that_names_no_gateway_is_for_the_configured_one, dir_make, dir_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
