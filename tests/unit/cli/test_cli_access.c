/* Why this user may not use a file: as somebody else where the tests run as root, who may use all. */
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

#include "edge/cli/cli_access.h"

#define NOBODY 65534

static bool is_root;
static char dir[] = "/tmp/cli-access.XXXXXX";
static char path[64];

static int rig_make(void **state)
{
    FILE *file;

    (void)state;
    is_root = geteuid() == 0;
    if (!mkdtemp(dir)) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    file = fopen(path, "w");
    return !file || fclose(file);
}

static int rig_clear(void **state)
{
    (void)state;
    return unlink(path) || rmdir(dir);
}

static void as_user(void)
{
    assert_false(is_root && (chown(dir, NOBODY, NOBODY) || chown(path, NOBODY, NOBODY) || seteuid(NOBODY)));
}

static void as_before(void)
{
    assert_false(is_root && seteuid(0));
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void what_may_be_read_and_what_is_not_there_is_in_nobodys_way(void **state)
{
    char text[256];
    char absent[80];

    (void)state;
    (void)snprintf(absent, sizeof(absent), "%s.absent/file", path);
    as_user();
    assert_false(cli_access_advice(path, text, sizeof(text)));
    assert_false(cli_access_advice(absent, text, sizeof(text)));
    assert_false(cli_access_advice("relative", text, sizeof(text)));
    as_before();
}

static void the_first_in_the_way_is_named_with_what_opens_it(void **state)
{
    char text[256];
    char wanted[256];

    (void)state;
    as_user();
    assert_int_equal(chmod(path, 0), 0);
    assert_true(cli_access_advice(path, text, sizeof(text)));
    (void)snprintf(wanted, sizeof(wanted), "%s is yours, but its mode keeps you out: `chmod u+rw %s`", path, path);
    assert_string_equal(text, wanted);
    assert_int_equal(chmod(dir, 0), 0);
    assert_true(cli_access_advice(path, text, sizeof(text)));
    (void)snprintf(wanted, sizeof(wanted), "%s is yours, but its mode keeps you out: `chmod u+rwx %s`", dir, dir);
    assert_string_equal(text, wanted);
    as_before();
}

static void what_is_somebody_elses_is_given_back_or_left_to_him(void **state)
{
    char text[256];

    (void)state;
    if (!is_root) {
        skip(); /* there is nobody else */
    }
    as_user();
    assert_int_equal(seteuid(0), 0);
    assert_false(chown(path, 0, 0) || seteuid(NOBODY));
    assert_true(cli_access_advice(path, text, sizeof(text)));
    assert_non_null(strstr(text, "belongs to root: `sudo chown -R "));
    assert_false(seteuid(0) || chown(dir, 0, 0) || seteuid(NOBODY));
    assert_true(cli_access_advice(path, text, sizeof(text)));
    assert_non_null(strstr(text, "run this as root, or have a state of your own with OPENCLAW_STATE_DIR"));
    as_before();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_read_and_what_is_not_there_is_in_nobodys_way),
        cmocka_unit_test(the_first_in_the_way_is_named_with_what_opens_it),
        cmocka_unit_test(what_is_somebody_elses_is_given_back_or_left_to_him),
    };

    return cmocka_run_group_tests(tests, rig_make, rig_clear);
}
