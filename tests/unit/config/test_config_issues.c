/*
 * config_issues: what is told, what is counted, and what a mend is.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>

#include "schema/base/config_issues.h"

static struct config_issues *made(const char *const *rows, enum config_issue_source source)
{
    struct config_issues *self = config_issues_new();
    CLEANUP(config_document_deinit) struct config_document nothing;

    config_document_init(&nothing);
    for (; *rows; rows++) {
        config_issues_add_text(self, source, &nothing, *rows);
    }
    return self;
}

static bool is_mend(const char *const *before, const char *const *after)
{
    CLEANUP(config_issues_destroy) struct config_issues *a = made(before, CONFIG_ISSUE_SHAPE);
    CLEANUP(config_issues_destroy) struct config_issues *b = made(after, CONFIG_ISSUE_SHAPE);

    return config_issues_is_mend(a, b);
}

#define ROWS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NONE ((const char *const[]){ NULL })

static void is_a_mend_with_fewer_and_none_that_is_new(void **state)
{
    (void)state;
    assert_true(is_mend(ROWS("a.b is x", "a.c is y"), ROWS("a.c is y")));
    assert_true(is_mend(ROWS("a.b is x"), NONE));
    assert_true(is_mend(ROWS("a.0.b is x", "a.1.b is x", "a.2.b is z"), ROWS("a.0.b is x", "a.1.b is z")));
    assert_false(is_mend(ROWS("a.b is x"), ROWS("a.b is x")));
    assert_false(is_mend(ROWS("a.b is x", "a.c is y"), ROWS("a.d is y")));
    assert_false(is_mend(ROWS("a.b is x", "a.c is y", "a.d is z"), ROWS("a.b is x", "a.e is y")));
    assert_false(is_mend(ROWS("a.0.b is x", "a.1.c is y"), ROWS("a.0.b is x", "a.1.b is x")));
    assert_false(is_mend(NONE, NONE));
}

static void excuses_what_could_not_be_told_before(void **state)
{
    CLEANUP(config_issues_destroy) struct config_issues *before = made(ROWS("gateway.port is x"), CONFIG_ISSUE_VALUE);
    CLEANUP(config_issues_destroy)
    struct config_issues *after = made(ROWS("gateway.mode is unset"), CONFIG_ISSUE_START);

    (void)state;
    assert_false(config_issues_is_mend(before, after));
    config_issues_obscure(before);
    assert_true(config_issues_is_mend(before, after));
    assert_true(config_issues_touch(before, "gateway"));
    assert_false(config_issues_touch(before, "hooks"));
}

static void another_value_that_will_not_do_is_the_same_issue(void **state)
{
    CLEANUP(config_issues_destroy)
    struct config_issues *before = made(ROWS("a.b is 1", "a.c is 2"), CONFIG_ISSUE_VALUE);
    CLEANUP(config_issues_destroy) struct config_issues *after = made(ROWS("a.b is 3"), CONFIG_ISSUE_VALUE);

    (void)state;
    assert_true(config_issues_is_mend(before, after));
    assert_false(config_issues_is_mend(after, before));
}

static void two_views_of_one_value_are_one_issue(void **state)
{
    CLEANUP(config_issues_destroy) struct config_issues *self = made(ROWS("a.b is 1, expected 2"), CONFIG_ISSUE_VALUE);
    struct config_issue shape = { .place = "a.b", .message = "Invalid input", .text = "a.b: Invalid input" };
    CLEANUP(pack_deinit) struct pack out;

    (void)state;
    pack_init(&out, 0);
    assert_null(config_issues_add(self, CONFIG_ISSUE_SHAPE, &shape));
    assert_int_equal(config_issues_count(self), 1);
    assert_string_equal(config_issues_at(self, 0)->text, "a.b is 1, expected 2");
    config_issues_pack(self, true, &out);
    assert_json(pack_span(&out), "[{\"path\":\"a.b\",\"message\":\"Invalid input\"}]");
}

static void keeps_the_first_and_counts_the_others(void **state)
{
    CLEANUP(config_issues_destroy) struct config_issues *self = config_issues_new();
    CLEANUP(config_issues_destroy) struct config_issues *fewer = config_issues_new();
    struct config_issue issue = { .message = "Invalid input" };
    struct config_error error = { "" };
    char summary[64];

    (void)state;
    config_issues_error(self, &error);
    assert_string_equal(error.text, "");
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(issue.place, sizeof(issue.place), "a.k%u", i);
        memset(issue.text, '0', sizeof(issue.text) - 1);
        bool is_kept = config_issues_add(self, CONFIG_ISSUE_SHAPE, &issue) != NULL;

        assert_int_equal(is_kept, i < CONFIG_ISSUES_MAX);
        (void)(i ? config_issues_add(fewer, CONFIG_ISSUE_SHAPE, &issue) : NULL);
    }
    assert_int_equal(config_issues_count(self), 5000);
    assert_int_equal(config_issues_left_out(self), 5000 - CONFIG_ISSUES_MAX);
    config_issues_error(self, &error);
    assert_non_null(strstr(error.text, "0 (and 4999 more)"));
    config_issues_summary(self, summary, sizeof(summary));
    assert_non_null(strstr(summary, "a.k0: Invalid input"));
    assert_non_null(strstr(summary, " (+4997 more)"));
    assert_false(config_issues_is_mend(self, fewer)); /* nobody compared them all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_a_mend_with_fewer_and_none_that_is_new),
        cmocka_unit_test(excuses_what_could_not_be_told_before),
        cmocka_unit_test(another_value_that_will_not_do_is_the_same_issue),
        cmocka_unit_test(two_views_of_one_value_are_one_issue),
        cmocka_unit_test(keeps_the_first_and_counts_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
