#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actors/agent/message.h"
#include "bus/base/cleanup.h"

static void assert_said(const char *json, const char *expected)
{
    static const struct json_opts opts = { 0 };
    CLEANUP(pack_deinit) struct pack pack;
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct json_error error;

    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, &pack, &error), 0);
    assert_int_equal(message_text_add(pack_span(&pack), &text), 0);
    assert_true(message_text_bytes(pack_span(&pack)) >= text.len);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, expected);
}

static void text_parts_are_divided_by_line_breaks(void **state)
{
    (void)state;
    assert_said("\"plain\"", "plain");
    assert_said("[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]", "a\nb");
}

static void what_is_no_text_is_named_by_kind_and_size(void **state)
{
    (void)state;
    assert_said("[{\"type\":\"text\",\"text\":\"see\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
                "\"data:image/png;base64,AAECAwQ=\"}}]",
                "see\n[image image/png 5 bytes]");
    assert_said("[{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x.test/a.png\"}}]",
                "[image https://x.test/a.png]");
    assert_said("[{\"type\":\"image_url\",\"image_url\":\"data:,abc\"}]", "[image text/plain 3 bytes]");
    assert_said("[{\"type\":\"image_url\"}]", "[image]");
    assert_said("[{\"type\":\"input_audio\",\"input_audio\":{\"format\":\"wav\",\"data\":\"AAEC\"}}]",
                "[audio wav 3 bytes]");
    assert_said("[{\"type\":\"file\",\"file\":{\"filename\":\"a b].pdf\",\"file_data\":\"AAEC\"}}]",
                "[file a_b_.pdf 3 bytes]");
    assert_said("[{\"type\":\"video\"}]", "[video 16 bytes]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_parts_are_divided_by_line_breaks),
        cmocka_unit_test(what_is_no_text_is_named_by_kind_and_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
