#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "edge/cli/cli_paths.h"

static int resolve(const char *profile, bool is_dev, struct cli_paths *paths, struct cli_paths_error *error)
{
    return cli_paths_resolve(profile, is_dev, getenv, paths, error);
}

static int environment_clear(void **state)
{
    static const char *const names[] = { "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_PROFILE",
                                         "OPENCLAW_HOME", "OPENCLAW_DEV" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        unsetenv(names[i]);
    }
    return setenv("HOME", "/home/u", 1);
}

static void the_state_is_under_the_home_directory(void **state)
{
    struct cli_paths paths;
    struct cli_paths_error error;

    (void)state;
    assert_int_equal(resolve(NULL, false, &paths, &error), 0);
    assert_string_equal(paths.state_dir, "/home/u/.openclaw");
    assert_string_equal(paths.config_path, "/home/u/.openclaw/openclaw.json");
    assert_string_equal(paths.control_path, "/home/u/.openclaw/run/control.sock");
}

static void a_profile_has_a_state_of_its_own(void **state)
{
    struct cli_paths paths;
    struct cli_paths_error error;

    (void)state;
    assert_int_equal(resolve("work", false, &paths, &error), 0);
    assert_string_equal(paths.state_dir, "/home/u/.openclaw-work");
    assert_int_equal(resolve(NULL, true, &paths, &error), 0);
    assert_string_equal(paths.state_dir, "/home/u/.openclaw-dev");
    assert_true(paths.is_dev);
    assert_int_equal(resolve("default", false, &paths, &error), 0);
    assert_string_equal(paths.state_dir, "/home/u/.openclaw");
    assert_int_equal(setenv("OPENCLAW_PROFILE", "env", 1), 0);
    assert_int_equal(resolve(NULL, false, &paths, &error), 0);
    assert_string_equal(paths.state_dir, "/home/u/.openclaw-env");
}

static void the_environment_wins_over_the_profile(void **state)
{
    struct cli_paths paths;
    struct cli_paths_error error;

    (void)state;
    assert_int_equal(setenv("OPENCLAW_STATE_DIR", "~/s/", 1), 0);
    assert_int_equal(setenv("OPENCLAW_CONFIG_PATH", "/etc/c.json", 1), 0);
    assert_int_equal(resolve("work", false, &paths, &error), 0);
    assert_string_equal(paths.state_dir, "/home/u/s");
    assert_string_equal(paths.config_path, "/etc/c.json");
}

static void sockets_of_a_long_state_directory_move_to_a_short_one(void **state)
{
    char deep[256];
    struct cli_paths paths;
    struct cli_paths other;
    struct cli_paths_error error;

    (void)state;
    memset(deep, 'd', sizeof(deep));
    deep[0] = '/';
    deep[200] = '\0';
    assert_int_equal(setenv("OPENCLAW_STATE_DIR", deep, 1), 0);
    assert_int_equal(resolve(NULL, false, &paths, &error), 0);
    assert_true(strlen(paths.run_dir) <= 60);
    deep[199] = 'e';
    assert_int_equal(setenv("OPENCLAW_STATE_DIR", deep, 1), 0);
    assert_int_equal(resolve(NULL, false, &other, &error), 0);
    assert_string_not_equal(paths.run_dir, other.run_dir);
}

static void refuses_profiles_that_are_no_names(void **state)
{
    static const char *const bad[] = { "..", "a/b", "-x", "a b", "" };
    struct cli_paths paths;
    struct cli_paths_error error;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(resolve(bad[i], false, &paths, &error), CLI_PATHS_E_REFUSED);
    }
    assert_int_equal(resolve("other", true, &paths, &error), CLI_PATHS_E_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_state_is_under_the_home_directory, environment_clear),
        cmocka_unit_test_setup(a_profile_has_a_state_of_its_own, environment_clear),
        cmocka_unit_test_setup(the_environment_wins_over_the_profile, environment_clear),
        cmocka_unit_test_setup(sockets_of_a_long_state_directory_move_to_a_short_one, environment_clear),
        cmocka_unit_test_setup(refuses_profiles_that_are_no_names, environment_clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
