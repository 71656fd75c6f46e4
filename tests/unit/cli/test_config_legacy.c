#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "edge/cli/config_legacy.h"

struct told {
    unsigned done;
    unsigned stays;
    char last[CONFIG_LEGACY_SAYS_MAX];
};

static void on_says(void *arg, const char *says, bool is_done)
{
    struct told *told = arg;

    told->done += is_done;
    told->stays += !is_done;
    (void)strcpy(told->last, says);
}

static struct told moves(const char *text, const char *wanted)
{
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };
    struct told told = { 0 };

    assert_int_equal(config_legacy_move(span_from(text), on_says, &told, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(out.data, wanted);
    return told;
}

static void a_text_of_today_stays_as_it_is(void **state)
{
    (void)state;
    const char *text = "// mine\n{ gateway: { mode: 'local' }, agents: { list: [] }, }\n";

    assert_int_equal(moves(text, text).done, 0);
}

static void keys_move_and_comments_stay(void **state)
{
    (void)state;
    struct told told =
        moves("{ /* a */ routing: { queue: 1 }, // b\n c: 2 }", "{ /* a */ // b\n c: 2, messages: {\"queue\":1} }");

    assert_int_equal(told.done, 1);
    assert_string_equal(told.last, "routing.queue becomes messages.queue");
}

static void the_rest_of_an_object_goes_where_it_belongs(void **state)
{
    (void)state;
    assert_int_equal(
        moves("{agent:{model:\"a/b\",workspace:\"/w\",tools:{x:1}}}",
              "{tools: {\"x\":1}, agents: {\"defaults\":{\"model\":{\"primary\":\"a/b\"}, \"workspace\": \"/w\"}}}")
            .done,
        3);
}

static void what_is_there_already_is_never_overwritten(void **state)
{
    (void)state;
    struct told told = moves("{routing:{queue:1},messages:{queue:2}}", "{routing:{queue:1},messages:{queue:2}}");

    assert_int_equal(told.done, 0);
    assert_int_equal(told.stays, 1);
    told = moves("{identity:{a:1},agents:{list:[{id:\"x\",identity:{}}]}}",
                 "{identity:{a:1},agents:{list:[{id:\"x\",identity:{}}]}}");
    assert_int_equal(told.stays, 1);
}

static void one_identity_becomes_that_of_the_first_agent(void **state)
{
    (void)state;
    (void)moves("{identity:{a:1}}", "{agents: {\"list\":[{\"id\":\"main\",\"identity\":{\"a\":1}}]}}");
    (void)moves("{identity:{a:1},agents:{list:[{id:\"x\"}]}}", "{agents:{list:[{id:\"x\", identity: {\"a\":1}}]}}");
}

static void agents_by_name_become_a_list(void **state)
{
    (void)state;
    (void)moves("{routing:{agents:{a:{name:\"A\"},b:{}},defaultAgentId:\"b\"}}",
                "{agents: {\"list\":[{\"id\":\"a\",\"name\":\"A\"},{\"id\":\"b\",\"default\":true}]}}");
}

static void words_change_and_nothing_else_does(void **state)
{
    (void)state;
    (void)moves("{models:{providers:{\"p.q\":{api:'openai'},r:{api:'other'}}}}",
                "{models:{providers:{\"p.q\":{api:\"openai-completions\"},r:{api:'other'}}}}");
    (void)moves("{browser:{relayBindHost:1,profiles:{p:{driver:'extension'}}}}",
                "{browser:{profiles:{p:{driver:\"existing-session\"}}}}");
    (void)moves("{bindings:[{match:{accountID:1}},{match:{}}]}", "{bindings:[{match:{accountId: 1}},{match:{}}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_of_today_stays_as_it_is),
        cmocka_unit_test(keys_move_and_comments_stay),
        cmocka_unit_test(the_rest_of_an_object_goes_where_it_belongs),
        cmocka_unit_test(what_is_there_already_is_never_overwritten),
        cmocka_unit_test(one_identity_becomes_that_of_the_first_agent),
        cmocka_unit_test(agents_by_name_become_a_list),
        cmocka_unit_test(words_change_and_nothing_else_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
