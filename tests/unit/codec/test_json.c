/* The strict reader, the JSON5 reader and the light look of json_split. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/json.h"
#include "bus/value.h"
#include "tests/support/alloc_fail.h"

/* Reads `text` and writes it again. */
static int echo(struct span text, const struct json_opts *opts, struct text_buf *out, struct json_error *error)
{
    struct pack pack;
    int r;

    pack_init(&pack, 0);
    r = json_to_pack(text, opts, &pack, error);
    if (r == 0) {
        assert_true(wire_check(pack.data, pack.len, 256));
        assert_int_equal(json_from_value(pack_span(&pack), out), 0);
    } else {
        assert_int_equal(pack.len, 0);
    }
    pack_deinit(&pack);
    return r;
}

static void assert_reads(const char *text, const char *expected, bool json5)
{
    struct json_opts opts = { .json5 = json5 };
    struct json_error error;
    struct text_buf out = { 0 };

    if (echo(span_from(text), &opts, &out, &error) != 0) {
        fail_msg("%s: expected %s at %u:%u", text, error.expected, error.line, error.column);
    }
    if (out.len != strlen(expected) || memcmp(out.data, expected, out.len) != 0) {
        fail_msg("%s: got %.*s, not %s", text, (int)out.len, out.data, expected);
    }
    text_buf_deinit(&out);
}

static void assert_refuses(const char *text, bool json5, unsigned line, unsigned column, const char *expected)
{
    struct json_opts opts = { .json5 = json5 };
    struct json_error error;
    struct text_buf out = { 0 };

    if (echo(span_from(text), &opts, &out, &error) != JSON_E_SYNTAX) {
        fail_msg("%s: was not refused", text);
    }
    if (error.line != line || error.column != column || strcmp(error.expected, expected) != 0) {
        fail_msg("%s: %u:%u %s", text, error.line, error.column, error.expected);
    }
    assert_int_equal(echo(span_from(text), &opts, &out, NULL), JSON_E_SYNTAX);
    text_buf_deinit(&out);
}

static void reads_json(void **state)
{
    static const char *const same[] = {
        "{}", "[]", "null", "true", "false", "0", "\"\"", "{\"a\":[1,{\"b\":null}],\"c\":\"x\"}", "[[[]],{}]", "\"é😀\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_reads(same[i], same[i], false);
    }
    assert_reads(" \t\r\n{ \"a\" : [ 1 , 2 ] } \n", "{\"a\":[1,2]}", false);
}

static void numbers_become_what_they_are(void **state)
{
    (void)state;
    assert_reads("[-0,-1,9223372036854775807,-9223372036854775808]", "[0,-1,9223372036854775807,-9223372036854775808]",
                 false);
    assert_reads("[9223372036854775808,18446744073709551615]", "[9223372036854775808,18446744073709551615]", false);
    assert_reads("18446744073709551616", "1.8446744073709552e+19", false);
    assert_reads("-9223372036854775809", "-9.223372036854776e+18", false);
    assert_reads("[5.0,1e3,-2E+2,0.5,1.25e-2,100000e-2]", "[5,1000,-200,0.5,0.0125,1000]", false);
    assert_reads("[1e400,-1e400,1e-400]", "[null,null,0]", false);
    assert_reads("3.141592653589793", "3.141592653589793", false);
    assert_reads("[0.1,0.2,0.30000000000000004,1e21,1.5e-7]", "[0.1,0.2,0.30000000000000004,1e+21,0.00000015]", false);
    assert_reads("123456789012345678901234567890", "1.2345678901234568e+29", false);
    assert_reads("0.00000000000000000000000000000000000001", "1e-38", false);
    assert_reads("2.2250738585072014e-308", "2.2250738585072014e-308", false);
    assert_reads("[9007199254740993,9007199254740993.0]", "[9007199254740993,9007199254740992]", false);
}

static void whole_numbers_are_packed_as_such(void **state)
{
    static const struct {
        const char *text;
        enum value_kind kind;
    } rows[] = {
        { "5.0", VALUE_INT },   { "1e3", VALUE_INT }, { "1e16", VALUE_FLOAT }, { "9223372036854775808", VALUE_UINT },
        { "1.5", VALUE_FLOAT },
    };
    struct json_opts opts = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pack pack;

        pack_init(&pack, 0);
        assert_int_equal(json_to_pack(span_from(rows[i].text), &opts, &pack, NULL), 0);
        assert_int_equal(value_kind_of(pack_span(&pack)), rows[i].kind);
        pack_deinit(&pack);
    }
}

static void strings_are_unescaped(void **state)
{
    (void)state;
    assert_reads("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"", false);
    assert_reads("\"\\u0041\\u00e9\\u65e5\\ud83d\\ude00\"", "\"Aé日😀\"", false);
    assert_reads("\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\x7f\"", false);
    assert_reads("\"a long text that is plain for a while\\nand then goes on for another while\"",
                 "\"a long text that is plain for a while\\nand then goes on for another while\"", false);
}

static void a_surrogate_alone_is_replaced(void **state)
{
    (void)state;
    assert_reads("\"\\ud800\"", "\"\xef\xbf\xbd\"", false);
    assert_reads("\"\\udc00x\"", "\"\xef\xbf\xbdx\"", false);
    assert_reads("\"\\ud800\\u0041\"",
                 "\"\xef\xbf\xbd"
                 "A\"",
                 false);
    assert_reads("\"\\ud800\\ud83d\\ude00\"", "\"\xef\xbf\xbd😀\"", false);
}

static void escaped_strings_of_every_head_length(void **state)
{
    static const size_t lens[] = { 1, 30, 31, 32, 33, 254, 255, 256, 257, 65534, 65535, 65536, 65537 };
    struct json_opts opts = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        char *text = malloc(lens[i] + 3);
        struct text_buf out = { 0 };

        assert_non_null(text);
        memset(text, 'x', lens[i] + 3);
        text[0] = '"';
        memcpy(text + 1, "\\n", 2); /* one byte of text */
        text[lens[i] + 2] = '"';
        assert_int_equal(echo((struct span){ text, lens[i] + 3 }, &opts, &out, NULL), 0);
        assert_int_equal(out.len, lens[i] + 3);
        assert_memory_equal(out.data, text, out.len);
        text_buf_deinit(&out);
        free(text);
    }
}

static void refuses_what_is_not_json_and_says_where(void **state)
{
    (void)state;
    assert_refuses("", false, 1, 1, "a value");
    assert_refuses("  ", false, 1, 3, "a value");
    assert_refuses("nul", false, 1, 1, "a value");
    assert_refuses("nullx", false, 1, 5, "the end of a word");
    assert_refuses("true false", false, 1, 6, "the end of the text");
    assert_refuses("{", false, 1, 2, "a property name in double quotes");
    assert_refuses("{a:1}", false, 1, 2, "a property name in double quotes");
    assert_refuses("{\"a\" 1}", false, 1, 6, "':' after a property name");
    assert_refuses("{\"a\":1 \"b\":2}", false, 1, 8, "',' or '}' after a property");
    assert_refuses("{\"a\":1,}", false, 1, 8, "a property name in double quotes");
    assert_refuses("[1 2]", false, 1, 4, "',' or ']' after an element");
    assert_refuses("[1,]", false, 1, 4, "a value");
    assert_refuses("[1}", false, 1, 3, "',' or ']' after an element");
    assert_refuses("{\n  \"a\": 1,\n  \"b\" 2\n}", false, 3, 7, "':' after a property name");
    assert_refuses("{\r\n\r\"a\": x", false, 3, 6, "a value");
    assert_refuses("\"abc", false, 1, 5, "a closing quote");
    assert_refuses("\"\\", false, 1, 3, "an escape character");
    assert_refuses("\"\\x41\"", false, 1, 3, "an escape character");
    assert_refuses("\"a\\u12g4\"", false, 1, 5, "four hexadecimal digits");
    assert_refuses("\"\\u12\"", false, 1, 4, "four hexadecimal digits");
    assert_refuses("\"a\tb\"", false, 1, 3, "an escape instead of a control character in a string");
    assert_refuses("\"\xff\"", false, 1, 2, "valid UTF-8");
    assert_refuses("\"\xed\xa0\x80\"", false, 1, 2, "valid UTF-8");
    assert_refuses("\"\\\xff\"", false, 1, 3, "valid UTF-8");
    assert_refuses("'a'", false, 1, 1, "a value");
    assert_refuses("-", false, 1, 2, "a digit");
    assert_refuses("+1", false, 1, 1, "a value");
    assert_refuses(".5", false, 1, 1, "a value");
    assert_refuses("01", false, 1, 2, "no digit after a leading zero");
    assert_refuses("-01", false, 1, 3, "no digit after a leading zero");
    assert_refuses("1.", false, 1, 3, "a digit after the point");
    assert_refuses("1.e5", false, 1, 3, "a digit after the point");
    assert_refuses("1e", false, 1, 3, "a digit of the exponent");
    assert_refuses("1e+", false, 1, 4, "a digit of the exponent");
    assert_refuses("0x10", false, 1, 2, "the end of the text");
    assert_refuses("NaN", false, 1, 1, "a value");
    assert_refuses("Infinity", false, 1, 1, "a value");
    assert_refuses("// x\n1", false, 1, 1, "a value");
    assert_refuses("\xef\xbb\xbf{}", false, 1, 1, "a value");
    assert_refuses("\xc2\xa0{}", false, 1, 1, "a value");
}

static void a_number_has_a_greatest_length(void **state)
{
    char text[1400];

    (void)state;
    memset(text, '1', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_refuses(text, false, 1, 1, "a number of at most 1024 characters");
    text[1000] = '\0';
    assert_reads(text, "null", false); /* too great for a double */
}

static void nul_bytes_are_no_end_of_text(void **state)
{
    struct json_opts opts = { 0 };
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(echo((struct span){ "{}\0", 3 }, &opts, &out, NULL), JSON_E_SYNTAX);
    assert_int_equal(echo((struct span){ "\"a\0\"", 4 }, &opts, &out, NULL), JSON_E_SYNTAX);
    assert_int_equal(echo((struct span){ "\"\\\0\"", 4 }, &opts, &out, NULL), JSON_E_SYNTAX);
}

static void counts_depth(void **state)
{
    struct json_opts opts = { .depth_max = 3 };
    struct json_error error;
    struct text_buf out = { 0 };
    char deep[1000];

    (void)state;
    assert_int_equal(echo(span_from("[{\"a\":[]}]"), &opts, &out, NULL), 0);
    assert_int_equal(echo(span_from("[[\n[[]]]]"), &opts, &out, &error), JSON_E_DEPTH);
    assert_int_equal(error.line, 2);
    assert_int_equal(error.column, 2);
    opts.depth_max = 0;
    memset(deep, '[', sizeof(deep));
    assert_int_equal(echo((struct span){ deep, 64 }, &opts, &out, NULL), JSON_E_SYNTAX);
    assert_int_equal(echo((struct span){ deep, 65 }, &opts, &out, NULL), JSON_E_DEPTH);
    opts.depth_max = 100000;
    assert_int_equal(echo((struct span){ deep, sizeof(deep) }, &opts, &out, NULL), JSON_E_DEPTH);
    text_buf_deinit(&out);
}

static void of_equal_keys_the_last_counts(void **state)
{
    (void)state;
    assert_reads("{\"a\":1,\"a\":2}", "{\"a\":2}", false);
    assert_reads("{\"a\":{\"x\":1,\"y\":2,\"x\":3},\"b\":4,\"\\u0061\":5}", "{\"b\":4,\"a\":5}", false);
    assert_reads("{\"\":1,\"\":2,\"ab\":3,\"ba\":4,\"ab\":5}", "{\"\":2,\"ba\":4,\"ab\":5}", false);
    assert_reads("[{\"k\":1,\"k\":{\"z\":1,\"z\":2}},{\"k\":3}]", "[{\"k\":{\"z\":2}},{\"k\":3}]", false);
}

static void many_equal_keys_are_settled_too(void **state)
{
    char text[20000] = "{";
    size_t at = 1;
    struct json_opts opts = { 0 };
    struct pack pack;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\"key%u\":%u", i ? "," : "", i % 300, i);
    }
    text[at++] = '}';
    pack_init(&pack, 0);
    assert_int_equal(json_to_pack((struct span){ text, at }, &opts, &pack, NULL), 0);
    assert_int_equal(value_count(pack_span(&pack)), 300);
    assert_int_equal(value_i64(value_get(pack_span(&pack), "key99"), 0), 999);
    assert_int_equal(value_i64(value_get(pack_span(&pack), "key100"), 0), 700);
    assert_true(wire_check(pack.data, pack.len, 1));
    pack_deinit(&pack);
}

static void appends_one_value_and_takes_it_back_on_error(void **state)
{
    struct json_opts opts = { 0 };
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    pack_array_begin(&pack);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"a\":1}"), &opts, &pack, NULL), 0);
    assert_int_equal(json_to_pack(SPAN_LIT("{\"a\":1"), &opts, &pack, NULL), JSON_E_SYNTAX);
    assert_int_equal(json_to_pack(SPAN_LIT("2"), &opts, &pack, NULL), 0);
    pack_array_end(&pack);
    assert_int_equal(pack_error(&pack), 0);
    assert_int_equal(value_count(pack_span(&pack)), 2);
    assert_true(wire_check(pack.data, pack.len, 2));
    pack_deinit(&pack);
}

static void a_full_pack_is_a_fault(void **state)
{
    struct json_opts opts = { 0 };
    struct pack pack;

    (void)state;
    pack_init(&pack, 40);
    assert_int_equal(
        json_to_pack(SPAN_LIT("[\"a text that is longer than forty bytes, all in all\"]"), &opts, &pack, NULL), -E2BIG);
    assert_int_equal(json_to_pack(SPAN_LIT("1"), &opts, &pack, NULL), -E2BIG);
    pack_deinit(&pack);
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    assert_int_equal(json_to_pack(SPAN_LIT("1"), &opts, &pack, NULL), -EPROTO);
    pack_deinit(&pack);
}

static void every_failed_allocation_is_told(void **state)
{
    /* Long enough to grow the output and the list of keys; equal keys, to settle them. */
    char text[9000] = "{";
    size_t at = 1;
    struct json_opts opts = { 0 };

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "\"k%u\":[\"some text here\"],", i % 150);
    }
    at += (size_t)snprintf(text + at, sizeof(text) - at, "\"end\":0}");
    for (unsigned nth = 1;; nth++) {
        struct pack pack;
        bool failed;
        int r;

        pack_init(&pack, 0);
        alloc_fail_at(nth);
        r = json_to_pack((struct span){ text, at }, &opts, &pack, NULL);
        failed = alloc_fail_happened();
        alloc_fail_at(0);
        if (r == 0) { /* qsort_r works without the memory it asks for */
            assert_int_equal(value_count(pack_span(&pack)), 151);
        } else {
            assert_int_equal(r, -ENOMEM);
            assert_true(failed);
        }
        pack_deinit(&pack);
        if (!failed) {
            break;
        }
    }
}

/* --- JSON5 --------------------------------------------------------------------------- */

static void reads_json5(void **state)
{
    (void)state;
    assert_reads("// a file\n{\n  a: 1, /* one */ 'b': 2, $_c9: \"3\",\n}\n// end", "{\"a\":1,\"b\":2,\"$_c9\":\"3\"}",
                 true);
    assert_reads("[1,2,]", "[1,2]", true);
    assert_reads("[ ]", "[]", true);
    assert_reads("{ }", "{}", true);
    assert_reads("[+1,-1,.5,5.,+.5e1,-.5]", "[1,-1,0.5,5,5,-0.5]", true);
    assert_reads("[0x1F,0XFf,-0x10,0xffffffffffffffff,0x10000000000000000]",
                 "[31,255,-16,18446744073709551615,1.8446744073709552e+19]", true);
    assert_reads("[Infinity,-Infinity,+Infinity,NaN,-NaN]", "[null,null,null,null,null]", true);
    assert_reads("'it\\'s \"quoted\"'", "\"it's \\\"quoted\\\"\"", true);
    assert_reads("\"it's\"", "\"it's\"", true);
    assert_reads("'a\\\nb\\\r\nc\\\rd\\\xe2\x80\xa8"
                 "e'",
                 "\"abcde\"", true);
    assert_reads("'\\x41\\v\\0\\q\\é'", "\"A\\u000b\\u0000qé\"", true);
    assert_reads("'tab\there'", "\"tab\\there\"", true);
    assert_reads("'\xe2\x80\xa8'", "\"\xe2\x80\xa8\"", true);
    assert_reads("{ünïcode: 1, \\u0061b: 2, true: 3, null: 4}", "{\"ünïcode\":1,\"ab\":2,\"true\":3,\"null\":4}", true);
    assert_reads("\xef\xbb\xbf\xc2\xa0\xe3\x80\x80\v\f{}\xe2\x80\xa9", "{}", true);
    assert_reads("/**/1/***/", "1", true);
    assert_reads("{a:1,a:2}", "{\"a\":2}", true);
}

static void refuses_what_is_not_json5(void **state)
{
    (void)state;
    assert_refuses("", true, 1, 1, "a value");
    assert_refuses("{a}", true, 1, 3, "':' after a property name");
    assert_refuses("{1a:1}", true, 1, 2, "a property name");
    assert_refuses("{,}", true, 1, 2, "a property name");
    assert_refuses("[,]", true, 1, 2, "a value");
    assert_refuses("[1,,2]", true, 1, 4, "a value");
    assert_refuses("{a:1\n b:2}", true, 2, 2, "',' or '}' after a property");
    assert_refuses("/* open", true, 1, 8, "'*/' to end a comment");
    assert_refuses("/ 1", true, 1, 1, "'//' or '/*' to begin a comment");
    assert_refuses("'a\nb'", true, 1, 3, "an escape instead of a control character in a string");
    assert_refuses("'\\1'", true, 1, 4, "an escape character");
    assert_refuses("'\\01'", true, 1, 4, "no digit after '\\0'");
    assert_refuses("'\\x4'", true, 1, 4, "two hexadecimal digits");
    assert_refuses("0x", true, 1, 3, "a hexadecimal digit");
    assert_refuses("010", true, 1, 2, "no digit after a leading zero");
    assert_refuses(".", true, 1, 2, "a digit after the point");
    assert_refuses("+", true, 1, 2, "a digit");
    assert_refuses("Infinit", true, 1, 1, "a value");
    assert_refuses("NaNs", true, 1, 4, "the end of a word");
    assert_refuses("undefined", true, 1, 1, "a value");
    assert_refuses("{\xff:1}", true, 1, 2, "valid UTF-8");
    assert_refuses("{\\u00zz:1}", true, 1, 4, "four hexadecimal digits");
}

/* --- json_split, json_unquote -------------------------------------------------------------- */

static void splits_a_frame_without_reading_it(void **state)
{
    struct json_member members[] = { { .key = "type" }, { .key = "id" }, { .key = "params" }, { .key = NULL } };
    static const char frame[] = " {\"type\":\"req\", \"id\" : 7 ,\"x\":1,\"params\":{\"a\":[1,\"}\\\"\"]},\"y\":2} ";

    (void)state;
    assert_int_equal(json_split(span_from(frame), 0, members, 4, NULL), 0);
    assert_true(span_is_text(members[0].raw, "\"req\""));
    assert_true(span_is_text(members[1].raw, "7"));
    assert_true(span_is_text(members[2].raw, "{\"a\":[1,\"}\\\"\"]}"));
    assert_true(span_is_text(members[3].raw, "\"x\""));
}

static void split_leaves_absent_members_empty(void **state)
{
    struct json_member members[] = { { .key = "type", .raw = SPAN_LIT("stale") }, { .key = NULL } };

    (void)state;
    assert_int_equal(json_split(SPAN_LIT("{}"), 0, members, 2, NULL), 0);
    assert_int_equal(members[0].raw.len, 0);
    assert_int_equal(members[1].raw.len, 0);
}

static void split_takes_the_last_of_equal_keys_and_unescapes_them(void **state)
{
    struct json_member members[] = { { .key = "id" } };

    (void)state;
    assert_int_equal(json_split(SPAN_LIT("{\"id\":1,\"\\u0069d\":\"x\",\"other\":null}"), 0, members, 1, NULL), 0);
    assert_true(span_is_text(members[0].raw, "\"x\""));
    assert_int_equal(json_split(SPAN_LIT("{\"id\":true,\"\\ufffd0123456789012345678901234567890123456789"
                                         "012345678901234567890123456789\":false}"),
                                0, members, 1, NULL),
                     0);
    assert_true(span_is_text(members[0].raw, "true"));
}

static void split_refuses_what_is_no_object(void **state)
{
    static const char *const bad[] = {
        "",           "[]",          "1",          "{",          "{\"a\"}",          "{\"a\":}",     "{\"a\":1",
        "{\"a\":1,}", "{\"a\":1}x",  "{a:1}",      "{\"a\":[1}", "{\"a\":{\"b\":\"", "{\"a\":nope}", "{\"a\":01}",
        "{\"a\" 1}",  "{\"\\q\":1}", "{\"a\":1;}", "{\"a",       "{\"a\":\"\xff\"}",
    };
    struct json_member members[] = { { .key = "id" } };
    struct json_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        /* Inside brackets nothing is checked, so "[1}" passes for a value and then lacks its '}'. */
        assert_int_equal(json_split(span_from(bad[i]), 0, members, 1, &error), JSON_E_SYNTAX);
        assert_int_equal(error.line, 1);
        assert_true(error.expected[0] != '\0');
        assert_int_equal(json_split(span_from(bad[i]), 0, members, 1, NULL), JSON_E_SYNTAX);
    }
}

static void split_counts_depth(void **state)
{
    struct json_member members[] = { { .key = "a" } };

    (void)state;
    assert_int_equal(json_split(SPAN_LIT("{\"a\":[[]]}"), 2, members, 1, NULL), 0);
    assert_int_equal(json_split(SPAN_LIT("{\"a\":[[[]]]}"), 2, members, 1, NULL), JSON_E_DEPTH);
}

static void unquotes_one_literal(void **state)
{
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(json_unquote(SPAN_LIT("\"a\\u00e9\\n\""), &out), 0);
    assert_int_equal(json_unquote(SPAN_LIT("\"b\""), &out), 0);
    assert_int_equal(json_unquote(SPAN_LIT("\"\""), &out), 0);
    assert_int_equal(out.len, 5);
    assert_memory_equal(out.data, "aé\nb", 5);
    assert_int_equal(json_unquote(SPAN_LIT("7"), &out), JSON_E_SYNTAX);
    assert_int_equal(json_unquote(SPAN_LIT("\"a"), &out), JSON_E_SYNTAX);
    assert_int_equal(json_unquote(SPAN_LIT("\"a\" "), &out), JSON_E_SYNTAX);
    assert_int_equal(json_unquote(SPAN_LIT("\"\\q\""), &out), JSON_E_SYNTAX);
    assert_int_equal(json_unquote(SPAN_LIT(""), &out), JSON_E_SYNTAX);
    assert_int_equal(out.len, 5);
    text_buf_deinit(&out);
    alloc_fail_at(1);
    assert_int_equal(json_unquote(SPAN_LIT("\"a\""), &out), -ENOMEM);
    alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_json),
        cmocka_unit_test(numbers_become_what_they_are),
        cmocka_unit_test(whole_numbers_are_packed_as_such),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(a_surrogate_alone_is_replaced),
        cmocka_unit_test(escaped_strings_of_every_head_length),
        cmocka_unit_test(refuses_what_is_not_json_and_says_where),
        cmocka_unit_test(a_number_has_a_greatest_length),
        cmocka_unit_test(nul_bytes_are_no_end_of_text),
        cmocka_unit_test(counts_depth),
        cmocka_unit_test(of_equal_keys_the_last_counts),
        cmocka_unit_test(many_equal_keys_are_settled_too),
        cmocka_unit_test(appends_one_value_and_takes_it_back_on_error),
        cmocka_unit_test(a_full_pack_is_a_fault),
        cmocka_unit_test(every_failed_allocation_is_told),
        cmocka_unit_test(reads_json5),
        cmocka_unit_test(refuses_what_is_not_json5),
        cmocka_unit_test(splits_a_frame_without_reading_it),
        cmocka_unit_test(split_leaves_absent_members_empty),
        cmocka_unit_test(split_takes_the_last_of_equal_keys_and_unescapes_them),
        cmocka_unit_test(split_refuses_what_is_no_object),
        cmocka_unit_test(split_counts_depth),
        cmocka_unit_test(unquotes_one_literal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
