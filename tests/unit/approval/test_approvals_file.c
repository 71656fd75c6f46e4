#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "bus/json.h"
#include "bus/value.h"
#include "schema/base/approvals_file.h"

static char dir[64];
static char path[128];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/openclaw-allow-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/exec-approvals.json", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void put(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct span at(const struct approvals_file *file, const char *key)
{
    return value_path(pack_span(&file->content), key);
}

static void a_missing_file_is_an_empty_one(void **state)
{
    struct approvals_file file;
    struct approvals_error error;

    (void)state;
    approvals_file_init(&file);
    assert_int_equal(approvals_file_load(&file, dir, &error), 0);
    assert_false(file.exists);
    assert_string_equal(file.hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(value_i64(at(&file, "version"), 0), 1);
    approvals_file_deinit(&file);
}

static void brings_old_files_into_form(void **state)
{
    struct approvals_file file;
    struct approvals_error error;
    struct value_iter iter;
    struct span key;
    struct span entry;

    (void)state;
    put("{ version: 1, defaults: { security: 'sometimes', ask: 'always' },"
        "  agents: { default: { security: 'full', allowlist: ['/bin/ls', '  ', { pattern: 'rg', commandText: 'rg x' }] "
        "},"
        "            other: { mine: 7 } } }");
    approvals_file_init(&file);
    assert_int_equal(approvals_file_load(&file, dir, &error), 0);
    assert_true(file.exists);
    assert_int_equal(value_get(at(&file, "defaults"), "security").len, 0);
    assert_true(span_is(value_str(at(&file, "defaults.ask"), (struct span){ 0 }), SPAN_LIT("always")));
    assert_int_equal(at(&file, "agents.default").len, 0);
    assert_int_equal(value_i64(at(&file, "agents.other.mine"), 0), 7);
    assert_int_equal(value_count(at(&file, "agents.main.allowlist")), 2);
    iter = value_iter(at(&file, "agents.main.allowlist"));
    while (value_next(&iter, &key, &entry)) {
        assert_int_equal(value_str(value_get(entry, "id"), (struct span){ 0 }).len, 36);
        assert_int_equal(value_get(entry, "commandText").len, 0);
    }
    approvals_file_deinit(&file);
}

static void what_cannot_be_understood_is_refused(void **state)
{
    static const char *const broken[] = { "{ mine", "[]", "{\"version\": 2}", "" };
    struct approvals_file file;
    struct approvals_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        put(broken[i]);
        approvals_file_init(&file);
        assert_int_equal(approvals_file_load(&file, dir, &error), APPROVALS_E_REFUSED);
        assert_non_null(strstr(error.text, "correct the file or remove it"));
        approvals_file_deinit(&file);
    }
}

static void saving_keeps_the_socket_and_shows_no_secret(void **state)
{
    struct approvals_file file;
    struct approvals_error error;
    struct pack content;
    struct pack shown;
    struct stat st;

    (void)state;
    put("{\"version\":1,\"socket\":{\"path\":\"/run/x.sock\",\"token\":\"secret-one\"}}");
    approvals_file_init(&file);
    pack_init(&content, 0);
    pack_init(&shown, 0);
    assert_int_equal(approvals_file_load(&file, dir, &error), 0);
    assert_int_equal(approvals_file_complete(&file, SPAN_LIT("\x80"), &content), 0);
    assert_int_equal(approvals_file_save(&file, pack_span(&content), &error), 0);
    assert_true(span_is(value_str(at(&file, "socket.token"), (struct span){ 0 }), SPAN_LIT("secret-one")));
    approvals_file_show(&file, &shown);
    assert_null(memmem(pack_span(&shown).ptr, pack_span(&shown).len, "secret-one", 10));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    pack_deinit(&content);
    pack_deinit(&shown);
    approvals_file_deinit(&file);
}

static void does_not_write_through_a_link(void **state)
{
    struct approvals_file file;
    struct approvals_error error;
    struct pack content;
    char target[128];

    (void)state;
    (void)snprintf(target, sizeof(target), "%s/target", dir);
    assert_int_equal(symlink(target, path), 0);
    approvals_file_init(&file);
    pack_init(&content, 0);
    assert_int_equal(approvals_file_load(&file, dir, &error), 0);
    assert_int_equal(approvals_file_complete(&file, SPAN_LIT("\x80"), &content), 0);
    assert_int_equal(approvals_file_save(&file, pack_span(&content), &error), APPROVALS_E_REFUSED);
    assert_int_equal(access(target, F_OK), -1);
    pack_deinit(&content);
    approvals_file_deinit(&file);
}

static void does_not_wait_for_what_is_no_file(void **state)
{
    struct approvals_file file;
    struct approvals_error error;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    approvals_file_init(&file);
    assert_int_equal(approvals_file_load(&file, dir, &error), APPROVALS_E_REFUSED);
    assert_non_null(strstr(error.text, "no regular file"));
    approvals_file_deinit(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_missing_file_is_an_empty_one, setup, teardown),
        cmocka_unit_test_setup_teardown(brings_old_files_into_form, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_understood_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(saving_keeps_the_socket_and_shows_no_secret, setup, teardown),
        cmocka_unit_test_setup_teardown(does_not_write_through_a_link, setup, teardown),
        cmocka_unit_test_setup_teardown(does_not_wait_for_what_is_no_file, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
