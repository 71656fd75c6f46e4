#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "edge/http/header_limits.h"

static int check(const char *name, const char *value, struct openai_error *error)
{
    struct request request = { .headers_n = 2 };

    request.headers[0] = (struct request_header){ span_from("Accept"), span_from("*/*") };
    request.headers[1] = (struct request_header){ span_from(name), span_from(value) };
    return header_limits_check(&request, error);
}

static void a_header_is_taken_up_to_its_limit(void **state)
{
    static const struct {
        const char *name;
        size_t max;
    } rows[] = { { "X-OpenClaw-Agent-Id", 64 },
                 { "x-openclaw-model", 256 },
                 { "x-openclaw-session-key", 512 },
                 { "x-openclaw-scopes", 1024 },
                 { "x-openclaw-message-channel", 64 },
                 { "idempotency-key", 256 },
                 { "x-openclaw-account-id", 128 },
                 { "Authorization", 4096 },
                 { "x-other", 8192 } };
    char value[8200];
    char limit[32];
    struct openai_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(value, 'a', rows[i].max + 1);
        value[rows[i].max + 1] = '\0';
        assert_int_equal(check(rows[i].name, value, &error), OPENAI_E_REFUSED);
        (void)snprintf(limit, sizeof(limit), "at most %zu ", rows[i].max);
        assert_non_null(strstr(error.message, rows[i].name));
        assert_non_null(strstr(error.message, limit));
        assert_int_equal(error.status, 400);
        assert_string_equal(error.type, "invalid_request_error");
        value[rows[i].max] = '\0';
        assert_int_equal(check(rows[i].name, value, &error), 0);
    }
}

static void bytes_that_are_no_text_are_refused_in_ours_alone(void **state)
{
    struct openai_error error;

    (void)state;
    assert_int_equal(check("x-openclaw-session-key", "a\xff", &error), OPENAI_E_REFUSED);
    assert_non_null(strstr(error.message, "UTF-8"));
    assert_int_equal(check("x-openclaw-session-key", "\xc3\xa4", &error), 0);
    assert_int_equal(check("user-agent", "a\xff", &error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_taken_up_to_its_limit),
        cmocka_unit_test(bytes_that_are_no_text_are_refused_in_ours_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
