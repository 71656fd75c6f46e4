/*
 * config_turn: which failures of a change are made again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/cli/cli.h"
#include "edge/cli/config_turn.h"

static bool is_made_again(const struct cli_problem *problem)
{
    struct config_again again = { 0 };
    struct cli cli = { .paths = { .state_dir = "/nowhere/at/all" } };

    return config_again_take_problem(&again, &cli, problem) && again.is_due;
}

static void a_change_of_somebody_else_is_known_by_its_code(void **state)
{
    (void)state;
    assert_true(is_made_again(&(struct cli_problem){
        .kind = CLI_PROBLEM_ANSWER, .message = "in whatever words", .detail = "CONFIG_CHANGED" }));
    assert_false(is_made_again(&(struct cli_problem){
        .kind = CLI_PROBLEM_ANSWER, .message = "logging.file says: config changed since last load" }));
}

static void what_passes_by_itself_is_made_again(void **state)
{
    (void)state;
    assert_true(is_made_again(&(struct cli_problem){ .kind = CLI_PROBLEM_ANSWER, .retryable = true }));
    assert_true(is_made_again(&(struct cli_problem){ .kind = CLI_PROBLEM_CLOSED, .close_code = 1012 }));
    assert_false(is_made_again(&(struct cli_problem){ .kind = CLI_PROBLEM_CLOSED, .close_code = 1008 }));
    assert_false(is_made_again(&(struct cli_problem){ .kind = CLI_PROBLEM_UNREACHABLE })); /* nobody was there before */
    assert_false(is_made_again(&(struct cli_problem){ .kind = CLI_PROBLEM_TIMEOUT }));
}

static void it_ends_when_that_goes_on_for_too_long(void **state)
{
    struct config_again again = { .until_ms = 1 };

    (void)state;
    assert_false(config_again_take(&again));
    assert_false(config_again_due(&again, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_somebody_else_is_known_by_its_code),
        cmocka_unit_test(what_passes_by_itself_is_made_again),
        cmocka_unit_test(it_ends_when_that_goes_on_for_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
