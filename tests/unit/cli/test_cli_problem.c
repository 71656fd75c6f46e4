#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "edge/cli/cli.h"
#include "edge/cli/cli_problem.h"
#include "edge/cli/cli_target.h"

static const struct cli_target here = { .url = { .is_loopback = true, .host = "127.0.0.1", .port = 1 },
                                        .address = "ws://127.0.0.1:1",
                                        .source = "--port" };

static void says(const struct cli_problem *problem, const char *contains)
{
    char text[1600];

    cli_problem_text(problem, &here, text, sizeof(text));
    if (!strstr(text, contains)) {
        fail_msg("'%s' does not say '%s'", text, contains);
    }
}

static void each_kind_has_its_exit_code(void **state)
{
    static const struct {
        struct cli_problem problem;
        int code;
    } rows[] = {
        { { .kind = CLI_PROBLEM_NONE }, CLI_EXIT_OK },
        { { .kind = CLI_PROBLEM_ANSWER }, CLI_EXIT_FAILED },
        { { .kind = CLI_PROBLEM_ANSWER, .retryable = true }, CLI_EXIT_FAILED },
        { { .kind = CLI_PROBLEM_UNREACHABLE }, CLI_EXIT_UNAVAILABLE },
        { { .kind = CLI_PROBLEM_CLOSED }, CLI_EXIT_UNAVAILABLE },
        { { .kind = CLI_PROBLEM_TIMEOUT }, CLI_EXIT_TRY_LATER },
        { { .kind = CLI_PROBLEM_REFUSED }, CLI_EXIT_REFUSED },
        { { .kind = CLI_PROBLEM_REFUSED, .retryable = true }, CLI_EXIT_TRY_LATER },
        { { .kind = CLI_PROBLEM_REFUSED, .detail = "AUTH_RATE_LIMITED" }, CLI_EXIT_TRY_LATER },
        { { .kind = CLI_PROBLEM_INTERRUPTED }, CLI_EXIT_INTERRUPTED },
        { { .kind = CLI_PROBLEM_INTERRUPTED, .signal_number = 15 }, 143 },
        { { .kind = CLI_PROBLEM_PROTOCOL }, CLI_EXIT_SOFTWARE },
        { { .kind = CLI_PROBLEM_FAULT }, CLI_EXIT_SOFTWARE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(cli_problem_exit_code(&rows[i].problem), rows[i].code);
    }
}

static void the_text_names_what_failed_and_why(void **state)
{
    (void)state;
    says(&(struct cli_problem){ .kind = CLI_PROBLEM_UNREACHABLE, .sys_error = ECONNREFUSED }, "Connection refused");
    says(&(struct cli_problem){ .kind = CLI_PROBLEM_UNREACHABLE, .http_status = 404 }, "HTTP status 404");
    says(&(struct cli_problem){ .kind = CLI_PROBLEM_CLOSED, .what = "health", .close_code = 1013 }, "health");
    says(&(struct cli_problem){ .kind = CLI_PROBLEM_CLOSED, .close_code = 1008, .close_reason = "slow consumer" },
         "slow consumer");
    says(&(struct cli_problem){ .kind = CLI_PROBLEM_TIMEOUT, .what = "status", .timeout_ms = 250 }, "250 ms");
    says(&(struct cli_problem){ .kind = CLI_PROBLEM_ANSWER, .what = "x", .code = "UNAVAILABLE", .message = "later" },
         "later (UNAVAILABLE)");
}

static void the_advice_fits_the_reason(void **state)
{
    struct cli_problem pairing = { .kind = CLI_PROBLEM_REFUSED, .detail = "PAIRING_REQUIRED", .request_id = "r-1" };
    struct cli_problem mismatch = { .kind = CLI_PROBLEM_REFUSED, .detail = "AUTH_TOKEN_MISMATCH" };
    struct cli_problem refused = { .kind = CLI_PROBLEM_UNREACHABLE, .sys_error = ECONNREFUSED };
    struct cli_problem plain = { .kind = CLI_PROBLEM_ANSWER };
    struct cli_problem sealed = { .kind = CLI_PROBLEM_UNREACHABLE, .http_status = 400 };
    char buf[256];

    (void)state;
    assert_non_null(strstr(cli_problem_advice(&pairing, &here, buf, sizeof(buf)), "r-1"));
    assert_non_null(strstr(cli_problem_advice(&mismatch, &here, buf, sizeof(buf)), "gateway.auth.token"));
    assert_non_null(strstr(cli_problem_advice(&refused, &here, buf, sizeof(buf)), "openclaw gateway"));
    assert_non_null(strstr(cli_problem_advice(&sealed, &here, buf, sizeof(buf)), "wss://"));
    assert_null(cli_problem_advice(&plain, &here, buf, sizeof(buf)));
    mismatch.is_by_device_token = true; /* a gateway that has forgotten the device takes it for the shared one */
    assert_non_null(strstr(cli_problem_advice(&mismatch, &here, buf, sizeof(buf)), "stored for this device"));
}

static void a_line_to_type_means_the_same_gateway(void **state)
{
    struct cli_target work = here;
    struct cli_problem refused = { .kind = CLI_PROBLEM_UNREACHABLE, .sys_error = ECONNREFUSED };
    struct cli_problem pairing = { .kind = CLI_PROBLEM_REFUSED, .detail = "PAIRING_REQUIRED", .request_id = "r-1" };
    struct cli_problem late = { .kind = CLI_PROBLEM_TIMEOUT };
    struct cli_problem down = { .kind = CLI_PROBLEM_DOWN };
    char buf[256];

    (void)state;
    (void)strcpy(work.words, " --profile work");
    assert_non_null(strstr(cli_problem_advice(&refused, &work, buf, sizeof(buf)), "`openclaw --profile work gateway`"));
    assert_non_null(strstr(cli_problem_advice(&pairing, &work, buf, sizeof(buf)), "`openclaw --profile work devices "));
    assert_non_null(strstr(cli_problem_advice(&late, &work, buf, sizeof(buf)), "`openclaw --profile work gateway "));
    assert_non_null(strstr(cli_problem_advice(&down, &work, buf, sizeof(buf)), "`openclaw --profile work logs`"));
}

static void only_a_wrong_secret_on_this_machine_may_be_a_strangers(void **state)
{
    struct cli_target elsewhere = here;
    struct cli_problem mismatch = { .kind = CLI_PROBLEM_REFUSED, .detail = "AUTH_TOKEN_MISMATCH" };
    struct cli_problem missing = { .kind = CLI_PROBLEM_REFUSED, .detail = "AUTH_TOKEN_MISSING" };

    (void)state;
    elsewhere.is_elsewhere = true;
    assert_true(cli_problem_may_be_stranger(&mismatch, &here));
    assert_false(cli_problem_may_be_stranger(&mismatch, &elsewhere));
    assert_false(cli_problem_may_be_stranger(&missing, &here));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_has_its_exit_code),
        cmocka_unit_test(the_text_names_what_failed_and_why),
        cmocka_unit_test(the_advice_fits_the_reason),
        cmocka_unit_test(a_line_to_type_means_the_same_gateway),
        cmocka_unit_test(only_a_wrong_secret_on_this_machine_may_be_a_strangers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
