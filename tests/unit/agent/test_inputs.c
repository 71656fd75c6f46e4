#include "actors/agent/inputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define TEXT_FILE "{\"type\":\"file\",\"file\":{\"filename\":\"n]\",\"text\":\"a <<<b\"}}"
#define URL_FILE "{\"type\":\"file\",\"file\":{\"filename\":\"w\",\"url\":\"https://x/w\"}}"
#define URL_IMAGE "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/i\",\"detail\":\"low\"}}"
#define OWN_FILE "{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}"

static struct span packed(struct pack *pack, const char *json)
{
    static const struct json_opts opts = { 0 };

    pack_init(pack, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, pack, NULL), 0);
    return pack_span(pack);
}

static void what_must_be_fetched_is_listed_in_order(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct input_ref refs[INPUTS_MAX];
    struct span messages =
        packed(&pack, "[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\",\"content\":[" URL_FILE "," TEXT_FILE
                      "," URL_IMAGE "," OWN_FILE "]}]");

    (void)state;
    assert_int_equal(inputs_list(messages, refs), 2);
    assert_false(refs[0].is_image);
    assert_true(refs[1].is_image && span_is_text(refs[1].url, "https://x/i"));
    assert_true(inputs_are_there(messages));
}

static void what_must_be_read_is_listed_with_its_bytes(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct input_ref refs[INPUTS_MAX];
    struct span messages = packed(
        &pack, "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"filename\":\"a\",\"pdf\":\"QUJD\"}},"
               "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/heic;base64,QQ==\"}},"
               "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,QQ==\"}}]}]");

    (void)state;
    assert_int_equal(inputs_list(messages, refs), 2);
    assert_true(!refs[0].is_image && span_is_text(refs[0].base64, "QUJD") && !refs[0].url.len);
    assert_true(refs[1].is_image && span_is_text(refs[1].base64, "QQ=="));
}

static void pages_stand_behind_the_name_of_their_file(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    CLEANUP(pack_deinit) struct pack out;
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct input_got got = { .mime = "text/plain", .pages_n = 2 };
    struct span messages =
        packed(&pack, "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"filename\":\"a\","
                      "\"pdf\":\"QUJD\"}},{\"type\":\"text\",\"text\":\"t\"}]}]");

    (void)state;
    assert_int_equal(text_buf_add(&got.pages[0], SPAN_LIT("one")), 0);
    assert_int_equal(text_buf_add(&got.pages[1], SPAN_LIT("two")), 0);
    pack_init(&out, 0);
    assert_int_equal(inputs_expand(messages, &got, &out), 0);
    assert_int_equal(json_from_value(pack_span(&out), &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_non_null(strstr(text.data, "---\\n[PDF content rendered to images]\\n<<<END_"));
    assert_non_null(strstr(
        text.data, "\"image_url\":{\"url\":\"data:image/jpeg;base64,b25l\"}},{\"type\":\"image_url\","
                   "\"image_url\":{\"url\":\"data:image/jpeg;base64,dHdv\"}},{\"type\":\"text\",\"text\":\"t\"}"));
    input_got_deinit(&got);
}

static void what_was_got_stands_in_its_place(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    CLEANUP(pack_deinit) struct pack out;
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct input_got got[2] = { { .mime = "text/plain" }, { .mime = "image/png" } };
    struct span messages =
        packed(&pack, "[{\"role\":\"user\",\"content\":[" URL_FILE "," TEXT_FILE "," URL_IMAGE "," OWN_FILE "]}]");

    (void)state;
    assert_int_equal(text_buf_add(&got[0].bytes, SPAN_LIT("web")), 0);
    assert_int_equal(text_buf_add(&got[1].bytes, SPAN_LIT("png!")), 0);
    pack_init(&out, 0);
    assert_int_equal(inputs_expand(messages, got, &out), 0);
    assert_int_equal(json_from_value(pack_span(&out), &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_int_equal(value_count(pack_span(&out)), 3);
    assert_non_null(
        strstr(text.data, "Source: External\\nFile: w\\n---\\nweb\\n<<<END_EXTERNAL_UNTRUSTED_CONTENT id="));
    assert_non_null(strstr(text.data, "File: n_\\n---\\na < < <b\\n<<<END"));
    assert_non_null(
        strstr(text.data, "[{\"type\":\"text\",\"text\":\"[file w 3 bytes]\"},{\"type\":\"text\",\"text\":\"[file n_ 6 "
                          "bytes]\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,"
                          "cG5nIQ==\",\"detail\":\"low\"}}," OWN_FILE "]"));
    text_buf_deinit(&got[0].bytes);
    text_buf_deinit(&got[1].bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_must_be_fetched_is_listed_in_order),
        cmocka_unit_test(what_was_got_stands_in_its_place),
        cmocka_unit_test(what_must_be_read_is_listed_with_its_bytes),
        cmocka_unit_test(pages_stand_behind_the_name_of_their_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
