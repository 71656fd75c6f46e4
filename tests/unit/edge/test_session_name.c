#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "edge/http/session_name.h"

static void sessions_of_the_gateways_own_are_reserved(void **state)
{
    static const char *const reserved[] = { "subagent:x",          "cron:",           "ACP:y", " agent:main:cron:a",
                                            "agent:a b:subagent:", "AGENT:main:acp:z" };
    static const char *const free_names[] = {
        "",          "main",     "agent:",       "agent:main",         "agent:cron:main",
        "subagents", "my:cron:", "agent:main:x", "agent:main:x:cron:y"
    };

    (void)state;
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        assert_true(session_name_is_reserved(span_from(reserved[i])));
    }
    for (size_t i = 0; i < sizeof(free_names) / sizeof(free_names[0]); i++) {
        assert_false(session_name_is_reserved(span_from(free_names[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_of_the_gateways_own_are_reserved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
