#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "actors/node/outcome.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"

static const struct result fine = { .body = { "body", 4 } };

static void is_kept(struct node *node, const char *key, uint64_t now_ms, const char *body)
{
    struct result result;

    assert_true(outcome_find(node, key, now_ms, &result));
    assert_true(span_is_text(result.body, body));
}

static void is_gone(struct node *node, const char *key, uint64_t now_ms)
{
    struct result result;

    assert_false(outcome_find(node, key, now_ms, &result));
}

static void a_key_belongs_to_who_asked_and_to_the_node(void **state)
{
    CLEANUP(mem_free) char *one = outcome_key(SPAN_LIT("ann"), SPAN_LIT("node"), SPAN_LIT("key"));
    CLEANUP(mem_free) char *same = outcome_key(SPAN_LIT("ann"), SPAN_LIT("node"), SPAN_LIT("key"));
    CLEANUP(mem_free) char *other = outcome_key(SPAN_LIT("bob"), SPAN_LIT("node"), SPAN_LIT("key"));
    CLEANUP(mem_free) char *elsewhere = outcome_key(SPAN_LIT("ann"), SPAN_LIT("node2"), SPAN_LIT("key"));

    (void)state;
    assert_string_equal(one, same);
    assert_string_not_equal(one, other);
    assert_string_not_equal(one, elsewhere);
}

static void a_result_is_the_first_one_for_five_minutes(void **state)
{
    static const struct result failed = {
        .code = 7, .retryable = true, .message = { "why", 3 }, .details = { "\x80", 1 }
    };
    struct node *node = mem_new(sizeof(*node));
    struct result result;

    (void)state;
    outcome_keep(node, "a", 1000, &fine);
    outcome_keep(node, "b", 2000, &failed);
    is_kept(node, "a", 1000 + OUTCOME_TTL_MS, "body");
    is_gone(node, "a", 1001 + OUTCOME_TTL_MS);
    is_gone(node, "c", 2000);
    assert_true(outcome_find(node, "b", 2000, &result));
    assert_int_equal(result.code, 7);
    assert_true(result.retryable && span_is_text(result.message, "why") && result.details.len == 1);
    outcomes_free(node);
    is_gone(node, "b", 2000);
    free(node);
}

static void only_so_many_are_kept_and_the_oldest_give_way(void **state)
{
    struct node *node = mem_new(sizeof(*node));
    char key[16];

    (void)state;
    for (unsigned i = 0; i <= OUTCOMES_MAX; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        outcome_keep(node, key, i, &fine);
    }
    is_gone(node, "0", OUTCOMES_MAX);
    is_kept(node, "1", OUTCOMES_MAX, "body");
    is_kept(node, key, OUTCOMES_MAX, "body");
    outcomes_free(node);
    free(node);
}

static void only_so_many_bytes_are_kept(void **state)
{
    struct node *node = mem_new(sizeof(*node));
    char *large = mem_new(OUTCOME_BYTES_MAX / 8 + 1);
    struct result result = { .body = { large, OUTCOME_BYTES_MAX / 8 + 1 } };
    char key[16];

    (void)state;
    outcome_keep(node, "too large", 0, &result);
    is_gone(node, "too large", 0);
    result.body.len--;
    for (unsigned i = 0; i < 9; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        outcome_keep(node, key, 0, &result);
    }
    assert_false(outcome_find(node, "0", 0, &result));
    assert_true(outcome_find(node, "1", 0, &result));
    outcomes_free(node);
    free(large);
    free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_belongs_to_who_asked_and_to_the_node),
        cmocka_unit_test(a_result_is_the_first_one_for_five_minutes),
        cmocka_unit_test(only_so_many_are_kept_and_the_oldest_give_way),
        cmocka_unit_test(only_so_many_bytes_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
