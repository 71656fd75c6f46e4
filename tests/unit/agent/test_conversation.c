#include "actors/agent/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "bus/value.h"

#define U(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define A(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define S(text) "{\"role\":\"system\",\"content\":\"" text "\"}"
#define T(id) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":\"r\"}"

static int read_json(const char *json, bool goes_on, struct conversation *conversation)
{
    static const struct json_opts opts = { 0 };
    CLEANUP(pack_deinit) struct pack pack;

    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, &pack, NULL), 0);
    return conversation_read(pack_span(&pack), goes_on, conversation);
}

static void fresh_is(const char *json, bool goes_on, bool is_own, const char *fresh)
{
    CLEANUP(conversation_deinit) struct conversation conversation = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    assert_int_equal(read_json(json, goes_on, &conversation), 0);
    assert_int_equal(conversation.is_own, is_own);
    assert_int_equal(json_from_value(conversation.fresh, &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, fresh);
}

static void one_turn_goes_behind_the_session(void **state)
{
    (void)state;
    fresh_is("[" U("a") "]", false, false, "[" U("a") "]");
    fresh_is("[" S("s") "," U("a") "]", false, false, "[" U("a") "]");
    fresh_is("[" T("c1") "," T("c2") "]", false, false, "[" T("c1") "," T("c2") "]");
    fresh_is("[" T("c1") "," U("a") "]", false, false, "[" T("c1") "," U("a") "]");
}

static void a_whole_conversation_is_the_askers_own(void **state)
{
    (void)state;
    fresh_is("[" U("a") "," A("b") "," U("c") "]", false, true, "[" U("c") "]");
    fresh_is("[" U("a") "," A("b") "," T("c1") "," T("c2") "]", false, true, "[" T("c1") "," T("c2") "]");
    fresh_is("[" U("a") "," U("b") "]", false, true, "[" U("a") "," U("b") "]");
    fresh_is("[" U("a") "," A("b") "]", false, true, "[" U("a") "]");
}

static void what_goes_on_is_never_a_conversation_of_its_own(void **state)
{
    (void)state;
    fresh_is("[" U("a") "," A("b") "," U("c") "]", true, false, "[" U("a") "," A("b") "," U("c") "]");
}

static void somebody_must_say_something(void **state)
{
    CLEANUP(conversation_deinit) struct conversation none = { 0 };
    CLEANUP(conversation_deinit) struct conversation zero = { 0 };

    (void)state;
    assert_int_equal(read_json("[" S("s") "," U("") "]", false, &none), CONVERSATION_E_EMPTY);
    assert_int_equal(read_json("[" U("a\\u0000b") "]", false, &zero), CONVERSATION_E_NUL);
}

static void pictures_are_more_than_text(void **state)
{
    CLEANUP(conversation_deinit) struct conversation conversation = { 0 };

    (void)state;
    assert_int_equal(
        read_json("[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]}]", false,
                  &conversation),
        0);
    assert_false(conversation.is_plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_turn_goes_behind_the_session),
        cmocka_unit_test(a_whole_conversation_is_the_askers_own),
        cmocka_unit_test(what_goes_on_is_never_a_conversation_of_its_own),
        cmocka_unit_test(somebody_must_say_something),
        cmocka_unit_test(pictures_are_more_than_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
