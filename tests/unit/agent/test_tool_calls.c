#include "actors/agent/tool_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

static void json_is(const struct pack *pack, const char *expected)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    assert_int_equal(json_from_value(pack_span(pack), &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, expected);
}

static int add(struct tool_calls *calls, int index, const char *id, const char *name, const char *arguments)
{
    struct tool_call_piece piece = { .has_index = index >= 0,
                                     .index = (uint32_t)index,
                                     .id = span_from(id),
                                     .name = span_from(name),
                                     .arguments = span_from(arguments) };

    return tool_calls_add(calls, &piece);
}

static void pieces_grow_into_calls(void **state)
{
    CLEANUP(tool_calls_deinit) struct tool_calls calls = { 0 };
    CLEANUP(pack_deinit) struct pack out;

    (void)state;
    assert_int_equal(add(&calls, 7, "a", "f", ""), 0);
    assert_int_equal(add(&calls, 2, "b", "g", "{\"x\""), 0);
    assert_int_equal(add(&calls, 7, "", "", "{}"), 0);
    assert_int_equal(add(&calls, 2, "", "", ":1}"), 0);
    assert_int_equal(calls.n, 2);
    pack_init(&out, 0);
    pack_array_begin(&out);
    tool_calls_stored_pack(&calls, &out);
    pack_array_end(&out);
    json_is(&out, "[{\"type\":\"toolCall\",\"id\":\"a\",\"name\":\"f\",\"arguments\":{}},"
                  "{\"type\":\"toolCall\",\"id\":\"b\",\"name\":\"g\",\"arguments\":{\"x\":1}}]");
}

static void a_provider_may_leave_the_index_out(void **state)
{
    CLEANUP(tool_calls_deinit) struct tool_calls calls = { 0 };

    (void)state;
    assert_int_equal(add(&calls, -1, "a", "f", "{"), 0);
    assert_int_equal(add(&calls, -1, "", "", "}"), 0);
    assert_int_equal(add(&calls, -1, "b", "g", "[]"), 0);
    assert_int_equal(calls.n, 2);
    assert_int_equal(calls.at[0].arguments.len, 2);
    assert_string_equal(calls.at[1].name, "g");
}

static void a_call_without_an_id_gets_one(void **state)
{
    CLEANUP(tool_calls_deinit) struct tool_calls calls = { 0 };

    (void)state;
    assert_int_equal(add(&calls, 0, "", "f", "{}"), 0);
    assert_memory_equal(calls.at[0].id, "call_", 5);
}

static void there_is_an_end_to_them(void **state)
{
    CLEANUP(tool_calls_deinit) struct tool_calls calls = { 0 };

    (void)state;
    for (int i = 0; i < (int)TOOL_CALLS_MAX; i++) {
        assert_int_equal(add(&calls, i, "", "f", ""), 0);
    }
    assert_int_equal(add(&calls, 1000, "", "f", ""), TOOL_CALLS_E_FULL);
    assert_int_equal(add(&calls, 3, "", "", "x"), 0);
}

static void pieces_go_out_between_characters(void **state)
{
    CLEANUP(tool_calls_deinit) struct tool_calls calls = { 0 };
    CLEANUP(pack_deinit) struct pack out;
    size_t sent;

    (void)state;
    assert_int_equal(add(&calls, 0, "a", "f", "x\xc3\xa9y"), 0);
    pack_init(&out, 0);
    sent = tool_calls_piece_pack(&calls, 0, 0, 2, &out);
    json_is(&out, "{\"index\":0,\"id\":\"a\",\"name\":\"f\",\"arguments\":\"x\"}");
    assert_true(tool_calls_has_more(&calls, 0, sent));
    pack_reset(&out);
    sent = tool_calls_piece_pack(&calls, 0, sent, 64, &out);
    json_is(&out, "{\"index\":0,\"arguments\":\"\xc3\xa9y\"}");
    assert_false(tool_calls_has_more(&calls, 0, sent));
}

static void stored_parts_become_calls_again(void **state)
{
    static const struct json_opts opts = { 0 };
    CLEANUP(pack_deinit) struct pack in;
    CLEANUP(pack_deinit) struct pack out;

    (void)state;
    pack_init(&in, 0);
    pack_init(&out, 0);
    assert_int_equal(json_to_pack(SPAN_LIT("[{\"type\":\"text\",\"text\":\"t\"},{\"type\":\"toolCall\",\"id\":\"a\","
                                           "\"name\":\"f\",\"arguments\":\"no json\"}]"),
                                  &opts, &in, NULL),
                     0);
    assert_true(tool_calls_from_parts(pack_span(&in), &out));
    json_is(&out, "[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"no json\"}}]");
    pack_reset(&out);
    tool_calls_run_pack(pack_span(&in), &out);
    json_is(&out, "[{\"index\":0,\"id\":\"a\",\"name\":\"f\",\"arguments\":\"no json\"}]");
    assert_false(tool_calls_from_parts(SPAN_LIT("\x90"), &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_grow_into_calls),           cmocka_unit_test(a_provider_may_leave_the_index_out),
        cmocka_unit_test(a_call_without_an_id_gets_one),    cmocka_unit_test(there_is_an_end_to_them),
        cmocka_unit_test(pieces_go_out_between_characters), cmocka_unit_test(stored_parts_become_calls_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
