/*
 * config_issues: what is told, what is counted, and what a mend is.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>

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

/* What is told of `after` as what `before` became. */
static void led(const char *const *before, const char *const *after, char out[768])
{
    CLEANUP(config_issues_destroy) struct config_issues *was = made(before, CONFIG_ISSUE_VALUE);
    CLEANUP(config_issues_destroy) struct config_issues *self = config_issues_new();
    CLEANUP(config_document_deinit) struct config_document nothing;
    struct config_error error = { "" };

    config_document_init(&nothing);
    config_issues_lead(self, was);
    for (; *after; after++) {
        config_issues_add_text(self, CONFIG_ISSUE_VALUE, &nothing, *after);
    }
    config_issues_error(self, &error);
    (void)strcpy(out, error.text);
}

static void what_a_change_brings_comes_first(void **state)
{
    char text[768];

    (void)state;
    led(ROWS("a.b is x"), ROWS("a.b is x", "a.c is y"), text);
    assert_string_equal(text, "a.c is y (and 1 more of before; see `openclaw config validate`)");
    led(ROWS("a.b is x", "a.c is y"), ROWS("a.b is x", "a.c is z", "a.d is z"), text);
    assert_string_equal(text, "a.c is z (and 1 more of this change; 1 of before: see `openclaw config validate`)");
    led(ROWS("a.0.b is x", "a.1.b is y"), ROWS("a.0.b is y", "a.1.b is z"), text);
    assert_string_equal(text, "a.1.b is z (and 1 more of before; see `openclaw config validate`)");
    led(NONE, ROWS("a.b is x", "a.c is y"), text);
    assert_string_equal(text, "a.b is x (and 1 more of this change)");
    led(ROWS("a.b is x", "a.c is y"), ROWS("a.b is x", "a.c is y"), text);
    assert_string_equal(text, "a.b is x (and 1 more of before; see `openclaw config validate`)");
    assert_int_equal(setenv("OPENCLAW_PROFILE", "work", 1), 0);
    led(ROWS("a.b is x"), ROWS("a.b is x", "a.c is y"), text);
    assert_string_equal(text, "a.c is y (and 1 more of before; see `openclaw --profile work config validate`)");
    assert_int_equal(unsetenv("OPENCLAW_PROFILE"), 0);
    led(ROWS("a.b is x"), ROWS("a.c is y"), text);
    assert_string_equal(text, "a.c is y");
}

static void what_a_change_brings_is_kept_before_all_others(void **state)
{
    CLEANUP(config_issues_destroy) struct config_issues *was = config_issues_new();
    CLEANUP(config_issues_destroy) struct config_issues *self = config_issues_new();
    struct config_issue issue = { .message = "Invalid input" };

    (void)state;
    config_issues_lead(self, was);
    for (unsigned i = 0; i < 2 * CONFIG_ISSUES_MAX; i++) {
        (void)snprintf(issue.place, sizeof(issue.place), "a.k%u", i);
        (void)(i < CONFIG_ISSUES_MAX + 2 ? config_issues_add(was, CONFIG_ISSUE_SHAPE, &issue) : NULL);
    }
    for (unsigned i = 0; i < 3 * CONFIG_ISSUES_MAX; i++) {
        (void)snprintf(issue.place, sizeof(issue.place), "a.k%u", i);
        const struct config_issue *kept = config_issues_add(self, CONFIG_ISSUE_SHAPE, &issue);

        assert_true(!kept || !strcmp(kept->place, issue.place));
        assert_int_equal(kept != NULL,
                         i < CONFIG_ISSUES_MAX || (i >= CONFIG_ISSUES_MAX + 2 && i < 2 * CONFIG_ISSUES_MAX + 2));
    }
    assert_int_equal(config_issues_kept(self), CONFIG_ISSUES_MAX);
    assert_int_equal(config_issues_count(self), 3 * CONFIG_ISSUES_MAX);
    assert_string_equal(config_issues_at(self, 0)->place, "a.k18");
    assert_string_equal(config_issues_at(self, CONFIG_ISSUES_MAX - 1)->place, "a.k33");
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
    assert_non_null(strstr(error.text, "0 (and 4999 more; see `openclaw config validate`)"));
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
        cmocka_unit_test(what_a_change_brings_comes_first),
        cmocka_unit_test(what_a_change_brings_is_kept_before_all_others),
        cmocka_unit_test(keeps_the_first_and_counts_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
