/* What counts as losing most of a config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "schema/base/config_loss.h"

static bool is_loss(const char *before, const char *after)
{
    CLEANUP(pack_deinit) struct pack doc_before;
    CLEANUP(pack_deinit) struct pack doc_after;
    struct json_opts opts = { .json5 = true };

    pack_init(&doc_before, 0);
    pack_init(&doc_after, 0);
    assert_int_equal(json_to_pack(span_from(before), &opts, &doc_before, NULL), 0);
    assert_int_equal(json_to_pack(span_from(after), &opts, &doc_after, NULL), 0);
    return config_loss_is(
        &(struct config_loss){ span_from(before), span_from(after), pack_span(&doc_before), pack_span(&doc_after) });
}

static void counts_everything_but_secrets(void **state)
{
    char padding[701];
    char before[2048];
    char after[2048];

    (void)state;
    memset(padding, 'x', sizeof(padding) - 1);
    padding[sizeof(padding) - 1] = '\0';
    assert_false(is_loss("{a:1,b:2,c:3}", "{}"));
    (void)snprintf(before, sizeof(before), "{a:'%s',b:1}", padding);
    assert_true(is_loss(before, "{b:1}"));
    (void)snprintf(before, sizeof(before), "{apiKey:'%s',b:1}", padding);
    assert_false(is_loss(before, "{apiKey:{source:'env',provider:'default',id:'A'},b:1}"));
    (void)snprintf(before, sizeof(before), "{apiKey:'%s',b:'%.600s'}", padding, padding);
    assert_true(is_loss(before, "{apiKey:{source:'env',provider:'default',id:'A'}}"));
    (void)snprintf(before, sizeof(before), "{b:1 /* %s */}", padding);
    assert_true(is_loss(before, "{b:1}"));
    (void)snprintf(before, sizeof(before), "{b:'%s'}", padding);
    (void)snprintf(after, sizeof(after), "{/* %s */}", padding);
    assert_true(is_loss(before, after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_everything_but_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
