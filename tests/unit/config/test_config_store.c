#include "tests/unit/config/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/lock.h"
#include "bus/value.h"
#include "schema/base/config_audit.h"
#include "schema/base/config_edit.h"
#include "schema/base/config_merge.h"
#include "schema/base/config_store.h"

static int place_make(void **state)
{
    static char dir[64];

    snprintf(dir, sizeof(dir), "/tmp/openclaw-store-XXXXXX");
    *state = mkdtemp(dir);
    return *state ? 0 : -1;
}

static int place_remove(void **state)
{
    char line[200];

    snprintf(line, sizeof(line), "rm -rf '%s'", (const char *)*state);
    return system(line); /* NOLINT(cert-env33-c): a directory of the test's own */
}

static void assert_holds(const char *path, const char *text)
{
    CLEANUP(text_buf_deinit) struct text_buf now = { 0 };
    struct config_error error;

    assert_int_equal(config_file_read(path, &now, &error), 0);
    assert_int_equal(text_buf_add(&now, (struct span){ "", 1 }), 0);
    assert_string_equal(now.data, text);
}

static void one_that_others_share_keeps_its_mode(void **state)
{
    struct config_error error = { "" };
    char path[128];
    char bak[160];
    struct stat st;

    snprintf(path, sizeof(path), "%s/shared", (const char *)*state);
    snprintf(bak, sizeof(bak), "%s.bak", path);
    assert_int_equal(config_store_put(path, SPAN_LIT("0")), 0);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(config_store_replace(path, SPAN_LIT("0"), SPAN_LIT("1"), CONFIG_STORE_SHARED, &error), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(stat(bak, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(config_store_replace(path, SPAN_LIT("1"), SPAN_LIT("2"), CONFIG_STORE_OURS, &error), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void replaces_a_file_and_keeps_the_old_ones(void **state)
{
    struct config_error error = { "" };
    char path[128];
    char bak[160];
    struct stat st;

    snprintf(path, sizeof(path), "%s/c", (const char *)*state);
    assert_int_equal(config_store_replace(path, (struct span){ 0 }, SPAN_LIT("0"), CONFIG_STORE_OURS, &error), 0);
    for (int i = 0; i < 7; i++) {
        char before[2] = { (char)('0' + i), '\0' };
        char after[2] = { (char)('1' + i), '\0' };
        assert_int_equal(config_store_replace(path, span_from(before), span_from(after), CONFIG_STORE_OURS, &error), 0);
        assert_holds(path, after);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(bak, sizeof(bak), "%s.bak", path);
    assert_holds(bak, "6");
    snprintf(bak, sizeof(bak), "%s.bak.4", path);
    assert_holds(bak, "2");
    snprintf(bak, sizeof(bak), "%s.bak.5", path);
    assert_int_equal(access(bak, F_OK), -1);
}

static void never_replaces_what_somebody_else_wrote(void **state)
{
    struct config_error error = { "" };
    char path[128];

    snprintf(path, sizeof(path), "%s/other", (const char *)*state);
    assert_int_equal(config_store_replace(path, SPAN_LIT("was"), SPAN_LIT("new"), CONFIG_STORE_OURS, &error),
                     CONFIG_STORE_E_CHANGED);
    assert_int_equal(config_store_put(path, SPAN_LIT("theirs")), 0);
    assert_int_equal(config_store_replace(path, SPAN_LIT("was"), SPAN_LIT("new"), CONFIG_STORE_OURS, &error),
                     CONFIG_STORE_E_CHANGED);
    assert_int_equal(config_store_replace(path, (struct span){ 0 }, SPAN_LIT("new"), CONFIG_STORE_OURS, &error),
                     CONFIG_STORE_E_CHANGED);
    assert_holds(path, "theirs");
}

#define USER 12345
#define GROUP 12346

static void assert_owner(const char *dir, const char *name, uid_t user, gid_t group)
{
    char path[256];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_uid, user);
    assert_int_equal(st.st_gid, group);
}

static void leaves_the_state_of_a_user_to_that_user(void **state)
{
    struct config_error error = { "" };
    char dir[128];
    char own[256];
    char made[256];
    char named[256];
    char lock[256];
    pid_t holder = 0;
    int fd = -1;
    const struct config_audit audit = { .state_dir = dir,
                                        .config_path = own,
                                        .path = own,
                                        .when = "",
                                        .method = "config.set",
                                        .result = "rename",
                                        .reason = "" };

    if (geteuid() != 0) {
        print_message("only root can give files to somebody else\n");
        skip();
    }
    snprintf(dir, sizeof(dir), "%s/theirs", (const char *)*state);
    snprintf(own, sizeof(own), "%s/own", dir);
    snprintf(made, sizeof(made), "%s/made", dir);
    snprintf(named, sizeof(named), "%s/named", dir);
    snprintf(lock, sizeof(lock), "%s/lock", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(config_store_put(own, SPAN_LIT("1")), 0);
    assert_int_equal(chown(dir, USER, GROUP), 0);
    assert_int_equal(chown(own, USER + 1, GROUP + 1), 0);
    assert_int_equal(config_store_replace(own, SPAN_LIT("1"), SPAN_LIT("2"), CONFIG_STORE_OURS, &error), 0);
    assert_owner(dir, "own", USER + 1, GROUP + 1);
    assert_owner(dir, "own.bak", USER + 1, GROUP + 1);
    assert_int_equal(config_store_replace(made, (struct span){ 0 }, SPAN_LIT("2"), CONFIG_STORE_OURS, &error), 0);
    assert_owner(dir, "made", USER, GROUP);
    assert_int_equal(symlink("/etc/passwd", named), 0);
    assert_int_equal(config_store_put(named, SPAN_LIT("3")), 0);
    assert_owner(dir, "named", USER, GROUP);
    assert_owner("/etc", "passwd", 0, 0);
    assert_int_equal(lock_take(lock, &fd, &holder), 0);
    assert_owner(dir, "lock", USER, GROUP);
    (void)close(fd); /* a test's own */
    assert_int_equal(config_audit_write(&audit), 0);
    assert_owner(dir, "logs", USER, GROUP);
    assert_owner(dir, "logs/config-audit.jsonl", USER, GROUP);
}

static void refuses_links_and_directories(void **state)
{
    struct config_error error = { "" };
    char path[128];

    snprintf(path, sizeof(path), "%s/link", (const char *)*state);
    assert_int_equal(symlink("c", path), 0);
    assert_int_equal(config_store_replace(path, SPAN_LIT("7"), SPAN_LIT("x"), CONFIG_STORE_OURS, &error),
                     CONFIG_STORE_E_REFUSED);
    assert_non_null(strstr(error.text, "symbolic link"));
    assert_int_equal(config_store_replace(*state, SPAN_LIT(""), SPAN_LIT("x"), CONFIG_STORE_OURS, &error),
                     CONFIG_STORE_E_REFUSED);
}

static void keeps_at_most_eight_refused_texts(void **state)
{
    char path[128];
    char kept[PATH_MAX];

    snprintf(path, sizeof(path), "%s/r", (const char *)*state);
    for (int i = 0; i < 20; i++) {
        assert_true(config_store_reject(path, SPAN_LIT("x"), kept));
    }
    snprintf(kept, sizeof(kept), "%s.rejected.7", path);
    assert_int_equal(access(kept, F_OK), 0);
    snprintf(kept, sizeof(kept), "%s.rejected.8", path);
    assert_int_equal(access(kept, F_OK), -1);
}

static void knows_a_loss(void **state)
{
    static char text[2048];

    (void)state;
    assert_true(config_store_is_loss((struct span){ text, 2048 }, (struct span){ text, 43 }));
    assert_false(config_store_is_loss((struct span){ text, 2048 }, (struct span){ text, 1024 }));
    assert_false(config_store_is_loss((struct span){ text, 100 }, (struct span){ text, 2 }));
}

static void patches_as_the_standard_says(void **state)
{
    static const char *const cases[][3] = {
        { "{a:'b'}", "{a:'c'}", "{\"a\":\"c\"}" },
        { "{a:'b'}", "{b:'c'}", "{\"a\":\"b\",\"b\":\"c\"}" },
        { "{a:'b'}", "{a:null}", "{}" },
        { "{a:['b']}", "{a:'c'}", "{\"a\":\"c\"}" },
        { "{a:{b:'c'}}", "{a:{b:'d',c:null}}", "{\"a\":{\"b\":\"d\"}}" },
        { "{a:[{b:'c'}]}", "{a:[1]}", "{\"a\":[1]}" },
        { "{}", "{a:{bb:{ccc:null}}}", "{\"a\":{\"bb\":{}}}" },
        { "{e:null}", "{a:1}", "{\"e\":null,\"a\":1}" },
    };
    struct pack low;
    struct pack patch;
    struct pack out;

    (void)state;
    pack_init(&low, 0);
    pack_init(&patch, 0);
    pack_init(&out, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_pack(cases[i][0], &low);
        json_pack(cases[i][1], &patch);
        pack_reset(&out);
        config_merge_patch(pack_span(&low), pack_span(&patch), &out);
        assert_json(pack_span(&out), cases[i][2]);
    }
    pack_deinit(&low);
    pack_deinit(&patch);
    pack_deinit(&out);
}

static void restores_markers_where_a_text_was_and_nowhere_else(void **state)
{
    static const char *const cases[][3] = {
        { "{a:'__OPENCLAW_REDACTED__',b:1}", "{a:'secret'}", "{\"a\":\"secret\",\"b\":1}" },
        { "[{id:2,k:'__OPENCLAW_REDACTED__'}]", "[{id:1,k:'one'},{id:2,k:'two'}]", "[{\"id\":2,\"k\":\"two\"}]" },
        { "['__OPENCLAW_REDACTED__']", "['x']", "[\"x\"]" },
        { "['__OPENCLAW_REDACTED__']", "['x','y']", NULL },
        { "{a:'__OPENCLAW_REDACTED__'}", "{}", NULL },
        { "{a:'__OPENCLAW_REDACTED__'}", "{a:7}", NULL },
        { "{a:'__OPENCLAW_REDACTED__'}", "{a:'__OPENCLAW_REDACTED__'}", NULL },
        { "{a:'x__OPENCLAW_REDACTED__'}", "{a:'secret'}", NULL },
    };
    struct pack wanted;
    struct pack current;
    struct pack out;

    (void)state;
    pack_init(&wanted, 0);
    pack_init(&current, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_error error = { "" };
        pack_init(&out, 0);
        json_pack(cases[i][0], &wanted);
        json_pack(cases[i][1], &current);
        int r = config_restore(pack_span(&wanted), pack_span(&current), &out, &error);
        if (cases[i][2]) {
            assert_int_equal(r, 0);
            assert_json(pack_span(&out), cases[i][2]);
        } else {
            assert_int_equal(r, CONFIG_RESTORE_E_REFUSED);
            assert_non_null(strstr(error.text, "redaction marker"));
        }
        pack_deinit(&out);
    }
    pack_deinit(&wanted);
    pack_deinit(&current);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_others_share_keeps_its_mode),
        cmocka_unit_test(replaces_a_file_and_keeps_the_old_ones),
        cmocka_unit_test(never_replaces_what_somebody_else_wrote),
        cmocka_unit_test(leaves_the_state_of_a_user_to_that_user),
        cmocka_unit_test(refuses_links_and_directories),
        cmocka_unit_test(keeps_at_most_eight_refused_texts),
        cmocka_unit_test(knows_a_loss),
        cmocka_unit_test(patches_as_the_standard_says),
        cmocka_unit_test(restores_markers_where_a_text_was_and_nowhere_else),
    };

    return cmocka_run_group_tests(tests, place_make, place_remove);
}
