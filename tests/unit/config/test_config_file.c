#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/base/config_create.h"
#include "schema/base/config_file.h"
#include "schema/base/gateway_check.h"

static int setup(void **state)
{
    char *dir = strdup("/tmp/openclaw-config-XXXXXX");

    *state = dir;
    return dir && mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
    int r = system(command);
    free(*state);
    return r;
}

static void file_put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void says_where_the_text_goes_wrong(void **state)
{
    struct config_error error = { 0 };
    struct pack out;

    (void)state;
    pack_init(&out, 0);
    assert_int_equal(config_file_parse(SPAN_LIT("{\n  gateway: {\n    port 1\n  }\n}"), "openclaw.json", &out, &error),
                     CONFIG_FILE_E_REFUSED);
    assert_non_null(strstr(error.text, "openclaw.json:3:10: expected "));
    pack_reset(&out);
    assert_int_equal(config_file_parse(SPAN_LIT("[1]"), "x", &out, &error), CONFIG_FILE_E_REFUSED);
    pack_reset(&out);
    assert_int_equal(config_file_parse(SPAN_LIT(""), "x", &out, &error), CONFIG_FILE_E_REFUSED);
    pack_deinit(&out);
}

static void refuses_a_document_that_is_too_deep(void **state)
{
    struct config_error error = { 0 };
    char text[256] = "";
    struct pack out;

    (void)state;
    for (int i = 0; i < 40; i++) {
        strcat(text, "{a:");
    }
    pack_init(&out, 0);
    assert_int_equal(config_file_parse(span_from(text), "x", &out, &error), CONFIG_FILE_E_REFUSED);
    assert_non_null(strstr(error.text, "deeper"));
    pack_deinit(&out);
}

static void tells_an_absent_file_from_one_it_cannot_use(void **state)
{
    struct config_error error = { 0 };
    struct text_buf text = { 0 };
    char path[160];

    snprintf(path, sizeof(path), "%s/none", (char *)*state);
    assert_int_equal(config_file_read(path, &text, &error), CONFIG_FILE_E_ABSENT);
    assert_int_equal(config_file_read(*state, &text, &error), CONFIG_FILE_E_REFUSED);
    file_put(path, "");
    assert_int_equal(truncate(path, CONFIG_FILE_BYTES_MAX + 1), 0);
    assert_int_equal(config_file_read(path, &text, &error), CONFIG_FILE_E_REFUSED);
    assert_non_null(strstr(error.text, "larger"));
    text_buf_deinit(&text);
}

static void hashes_the_raw_text(void **state)
{
    char hash[CONFIG_FILE_HASH_LEN];

    (void)state;
    assert_int_equal(config_file_hash(SPAN_LIT("abc"), hash), 0);
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void puts_the_environment_into_strings(void **state)
{
    static const char *const env[] = { "BASE=https://api.example.com", "EMPTY=", "_X9=nine", NULL };
    struct config_error error = { 0 };
    struct pack doc;
    struct pack out;

    (void)state;
    pack_init(&doc, 0);
    pack_init(&out, 0);
    json_pack("{env:{vars:{OWN:'mine'},ALSO:'too'}, a:['${BASE}/v1','$${BASE}','${_X9}${OWN}${ALSO}','$5','${lower}',"
              "'${','$','a$$b',7,null],'${BASE}':1}",
              &doc);
    assert_int_equal(config_env_substitute(pack_span(&doc), env_of(env), &out, &error), 0);
    assert_json(pack_span(&out), "{\"env\":{\"vars\":{\"OWN\":\"mine\"},\"ALSO\":\"too\"},\"a\":["
                                 "\"https://api.example.com/v1\",\"${BASE}\",\"nineminetoo\",\"$5\",\"${lower}\","
                                 "\"${\",\"$\",\"a$$b\",7,null],\"${BASE}\":1}");
    json_pack("{models:{providers:[{apiKey:'x${EMPTY}'}]}}", &doc);
    pack_reset(&out);
    assert_int_equal(config_env_substitute(pack_span(&doc), env_of(env), &out, &error), CONFIG_ENV_E_REFUSED);
    assert_non_null(strstr(error.text, "models.providers.0.apiKey"));
    assert_non_null(strstr(error.text, "${EMPTY}"));
    pack_deinit(&doc);
    pack_deinit(&out);
}

static void creates_a_config_that_it_accepts(void **state)
{
    struct config_error error = { 0 };
    struct gateway_overrides none = { 0 };
    struct gateway_config config;
    char token[CONFIG_TOKEN_LEN];
    char path[160];
    struct stat st;

    snprintf(path, sizeof(path), "%s/new/openclaw.json", (char *)*state);
    assert_int_equal(config_token_generate(token), 0);
    assert_int_equal(config_create(path, 18789, token, &error), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(gateway_check_load(path, &none, &config, &error), 0);
    assert_string_equal(config.token, token);
    assert_int_equal(config.port, 18789);
}

static void never_touches_a_file_that_is_there(void **state)
{
    struct config_error error = { 0 };
    struct text_buf text = { 0 };
    char path[160];

    snprintf(path, sizeof(path), "%s/openclaw.json", (char *)*state);
    file_put(path, "{ mine: true }");
    assert_int_equal(config_create(path, 1, "T", &error), CONFIG_CREATE_E_EXISTS);
    assert_int_equal(config_file_read(path, &text, &error), 0);
    assert_true(span_is_text((struct span){ text.data, text.len }, "{ mine: true }"));
    text_buf_deinit(&text);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/nowhere/at/all", path), 0);
    assert_int_equal(config_create(path, 1, "T", &error), CONFIG_CREATE_E_EXISTS);
}

static void a_variable_that_is_not_set_is_named_before_anything_starts(void **state)
{
    struct config_error error = { 0 };
    struct gateway_overrides none = { 0 };
    struct gateway_config config;
    char path[160];

    snprintf(path, sizeof(path), "%s/openclaw.json", (char *)*state);
    file_put(path, "{ gateway: { mode: 'local', auth: { token: 'T' } }, a: { key: '${OPENCLAW_TEST_UNSET}' } }");
    assert_int_equal(gateway_check_load(path, &none, &config, &error), GATEWAY_CONFIG_E_REFUSED);
    assert_non_null(strstr(error.text, "a.key refers to ${OPENCLAW_TEST_UNSET}"));
}

static void names_the_file_that_it_cannot_write(void **state)
{
    struct config_error error = { 0 };

    (void)state;
    assert_int_equal(config_create("/proc/openclaw/openclaw.json", 1, "T", &error), CONFIG_CREATE_E_REFUSED);
    assert_non_null(strstr(error.text, "/proc/openclaw"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where_the_text_goes_wrong),
        cmocka_unit_test(refuses_a_document_that_is_too_deep),
        cmocka_unit_test_setup_teardown(tells_an_absent_file_from_one_it_cannot_use, setup, teardown),
        cmocka_unit_test(hashes_the_raw_text),
        cmocka_unit_test(puts_the_environment_into_strings),
        cmocka_unit_test_setup_teardown(creates_a_config_that_it_accepts, setup, teardown),
        cmocka_unit_test_setup_teardown(never_touches_a_file_that_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(a_variable_that_is_not_set_is_named_before_anything_starts, setup, teardown),
        cmocka_unit_test(names_the_file_that_it_cannot_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
