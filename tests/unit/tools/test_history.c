#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "actors/tools/history.h"
#include "bus/json.h"

static void shown_is(const char *messages, bool with_tools, size_t most, const char *expected,
                     struct history *ret_history)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;
    struct text_buf text = { 0 };
    struct pack in;
    struct pack out;

    pack_init(&in, 0);
    pack_init(&out, 0);
    assert_int_equal(json_to_pack(span_from(messages), &opts, &in, &error), 0);
    history_pack(pack_span(&in), with_tools, most, &out, ret_history);
    assert_int_equal(pack_error(&out), 0);
    assert_int_equal(json_from_value(pack_span(&out), &text), 0);
    assert_int_equal(text_buf_add(&text, SPAN_LIT("\0")), 0);
    assert_string_equal(text.data, expected);
    text_buf_deinit(&text);
    pack_deinit(&in);
    pack_deinit(&out);
}

static void tools_and_accounts_are_left_out(void **state)
{
    static const char messages[] =
        "[{role:'user',content:'hi'},{role:'assistant',content:[{type:'toolCall',name:'x'},{type:'text',text:'so'}],"
        "usage:{a:1},cost:2},{role:'toolResult',content:'r',details:{}}]";
    struct history history;

    (void)state;
    shown_is(messages, false, 10,
             "[{\"role\":\"user\",\"content\":\"hi\"},"
             "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"so\"}]}]",
             &history);
    assert_true(history.is_cut);
    assert_false(history.is_dropped);
    shown_is(messages, true, 1, "[{\"role\":\"toolResult\",\"content\":\"r\"}]", &history);
    assert_true(history.is_dropped);
    shown_is("[]", true, 1, "[]", &history);
    shown_is("[{role:'user',content:[{type:'image',data:'AAAA'},5]}]", false, 9,
             "[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"omitted\":true},5]}]", &history);
}

static void what_is_long_is_cut_and_the_newest_stay(void **state)
{
    char *messages = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&messages, &size);
    struct json_opts opts = { .json5 = true };
    struct history history;
    struct pack in;
    struct pack out;

    (void)state;
    (void)fputs("[", stream);
    for (int i = 0; i < 60; i++) {
        (void)fprintf(stream, "{role:'user',content:'%04d%5000s'},", i, "x");
    }
    (void)fputs("]", stream);
    assert_int_equal(fclose(stream), 0);
    pack_init(&in, 0);
    pack_init(&out, 0);
    assert_int_equal(json_to_pack((struct span){ messages, size }, &opts, &in, NULL), 0);
    history_pack(pack_span(&in), false, 1000, &out, &history);
    assert_int_equal(pack_error(&out), 0);
    assert_true(history.is_cut && history.is_dropped);
    assert_true(history.bytes <= HISTORY_BYTES_MAX && history.bytes > HISTORY_BYTES_MAX - 4200);
    assert_non_null(memmem(out.data, out.len, "0059 ", 5));
    assert_non_null(memmem(out.data, out.len, "\n[cut]", 6));
    assert_null(memmem(out.data, out.len, "0001 ", 5));
    pack_deinit(&in);
    pack_deinit(&out);
    free(messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tools_and_accounts_are_left_out),
        cmocka_unit_test(what_is_long_is_cut_and_the_newest_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
