#include "edge/http/openresponses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/value.h"
#include "edge/http/openresponses_reply.h"
#include "schema/base/base64.h"

static struct endpoints endpoints;
static struct pack raw;
static struct pack made;

static int setup(void **state)
{
    (void)state;
    return endpoints_read(&endpoints, (struct span){ NULL, 0 });
}

static int teardown(void **state)
{
    (void)state;
    pack_deinit(&raw);
    pack_deinit(&made);
    endpoints_deinit(&endpoints);
    return 0;
}

static int parse(const char *body, struct openresponses_request *request, struct openai_error *error)
{
    pack_deinit(&raw);
    pack_deinit(&made);
    pack_init(&raw, 0);
    pack_init(&made, 0);
    return openresponses_parse(span_from(body), &endpoints.responses, &raw, &made, request, error);
}

static void json_is(struct span value, const char *expected)
{
    struct text_buf text = { 0 };

    assert_int_equal(json_from_value(value, &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, expected);
    text_buf_deinit(&text);
}

static void a_text_is_a_message_of_a_user(void **state)
{
    struct openresponses_request request;
    struct openai_error error;

    (void)state;
    assert_int_equal(
        parse("{\"model\":\"openclaw/a\",\"input\":\"hi\",\"instructions\":\"s\",\"user\":\"u\",\"stream\":true,"
              "\"previous_response_id\":\"resp_1\",\"max_output_tokens\":9,\"temperature\":1,\"store\":true,"
              "\"metadata\":{},\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"schema\":{}}}}",
              &request, &error),
        0);
    json_is(request.messages, "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"hi\"}]");
    json_is(request.response_format, "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{}}}");
    assert_true(span_is(request.agent_id, SPAN_LIT("a")) && span_is(request.user, SPAN_LIT("u")));
    assert_true(span_is(request.previous_id, SPAN_LIT("resp_1")) && request.is_streamed);
    assert_int_equal(request.max_tokens, 9);
}

static void calls_gather_behind_an_assistants_message(void **state)
{
    struct openresponses_request request;
    struct openai_error error;

    (void)state;
    assert_int_equal(parse("{\"model\":\"openclaw\",\"input\":[{\"role\":\"assistant\",\"content\":\"t\"},"
                           "{\"type\":\"function_call\",\"call_id\":\"1\",\"name\":\"f\",\"arguments\":\"{}\"},"
                           "{\"type\":\"function_call\",\"call_id\":\"2\",\"name\":\"g\",\"arguments\":\"\"},"
                           "{\"type\":\"function_call_output\",\"call_id\":\"1\",\"output\":\"x\"},"
                           "{\"type\":\"function_call\",\"call_id\":\"3\",\"name\":\"h\",\"arguments\":\"\"},"
                           "{\"type\":\"function_call_output\",\"call_id\":\"3\",\"output\":[{\"type\":\"input_text\","
                           "\"text\":\"y\"}]}]}",
                           &request, &error),
                     0);
    json_is(request.messages, "[{\"role\":\"assistant\",\"content\":\"t\",\"tool_calls\":[{\"id\":\"1\",\"type\":"
                              "\"function\",\"function\":{\"name\":"
                              "\"f\",\"arguments\":\"{}\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":"
                              "\"g\",\"arguments\":\"\"}}]},"
                              "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"},{\"role\":\"assistant\","
                              "\"tool_calls\":[{\"id\":\"3\","
                              "\"type\":\"function\",\"function\":{\"name\":\"h\",\"arguments\":\"\"}}]},{\"role\":"
                              "\"tool\",\"tool_call_id\":\"3\","
                              "\"content\":[{\"type\":\"text\",\"text\":\"y\"}]}]");
}

static void says_what_is_wrong(void **state)
{
    static const struct {
        const char *body;
        const char *words;
    } cases[] = {
        { "", "not JSON" },
        { "{\"input\":\"x\"}", "Missing `model`" },
        { "{\"model\":\"openclaw\"}", "`input` must be" },
        { "{\"model\":\"openclaw\",\"input\":[]}", "Missing user message" },
        { "{\"model\":\"openclaw\",\"input\":\"x\",\"max_output_tokens\":0}", "`max_output_tokens`" },
        { "{\"model\":\"openclaw\",\"input\":\"x\",\"stream\":1}", "`stream`" },
        { "{\"model\":\"openclaw\",\"input\":\"x\",\"temperature\":1e999}", "`temperature` must be a finite number" },
        { "{\"model\":\"openclaw\",\"input\":\"x\",\"top_p\":-1e999}", "`top_p` must be a finite number" },
        { "{\"model\":\"openclaw\",\"input\":\"x\",\"text\":{\"format\":{\"type\":\"xml\"}}}", "`text.format`" },
        { "{\"model\":\"openclaw\",\"input\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "role `tool`" },
        { "{\"model\":\"openclaw\",\"input\":[{\"type\":\"function_call\"}]}", "A `function_call` needs" },
        { "{\"model\":\"openclaw\",\"input\":[{\"type\":\"function_call_output\"}]}", "needs a `call_id`" },
        { "{\"model\":\"openclaw\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\"}]}]}",
          "needs a text" },
        { "{\"model\":\"openclaw\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"file_data\":"
          "\"/w==\"}]}]}",
          "not text in UTF-8" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct openresponses_request request;
        struct openai_error error;

        assert_int_equal(parse(cases[i].body, &request, &error), OPENAI_E_REFUSED);
        if (!strstr(error.message, cases[i].words)) {
            fail_msg("%s: %s", cases[i].body, error.message);
        }
    }
}

/* --- answers ----------------------------------------------------------------------------- */

static int names_add(void *arg, const char *name, struct span json)
{
    struct text_buf *names = arg;

    assert_true(json.len > 0);
    assert_int_equal(text_buf_add(names, span_from(strchr(name, '.') + 1)), 0);
    return text_buf_add(names, SPAN_LIT(" "));
}

static struct span calls_of(const char *json)
{
    static const struct json_opts opts = { 0 };

    pack_deinit(&raw);
    pack_init(&raw, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, &raw, NULL), 0);
    return pack_span(&raw);
}

static void pieces_become_items_and_events(void **state)
{
    struct text_buf names = { 0 };
    struct text_buf whole = { 0 };
    struct openai_usage usage = { 3, 4 };
    struct openresponses_reply reply = {
        .id = "resp_1", .created_s = 7, .model = SPAN_LIT("openclaw"), .emit = names_add, .arg = &names
    };

    (void)state;
    assert_int_equal(openresponses_reply_begin(&reply), 0);
    assert_int_equal(openresponses_reply_text(&reply, SPAN_LIT("a")), 0);
    assert_int_equal(
        openresponses_reply_calls(&reply, calls_of("[{\"index\":0,\"id\":\"c\",\"name\":\"f\",\"arguments\":\"{\"}]")),
        0);
    assert_int_equal(openresponses_reply_text(&reply, SPAN_LIT("b")), 0);
    assert_int_equal(openresponses_reply_calls(&reply, calls_of("[{\"index\":0,\"arguments\":\"}\"}]")), 0);
    assert_int_equal(openresponses_reply_end(&reply, SPAN_LIT("tool_calls"), &usage), 0);
    assert_int_equal(text_buf_add(&names, (struct span){ "", 1 }), 0);
    assert_string_equal(names.data,
                        "created in_progress output_item.added content_part.added output_text.delta output_text.done "
                        "content_part.done output_item.done output_item.added function_call_arguments.delta "
                        "output_item.added content_part.added output_text.delta function_call_arguments.delta "
                        "output_text.done content_part.done output_item.done function_call_arguments.done "
                        "output_item.done completed ");
    assert_int_equal(openresponses_reply_write(&reply, SPAN_LIT("length"), &usage, &whole), 0);
    assert_int_equal(text_buf_add(&whole, (struct span){ "", 1 }), 0);
    assert_string_equal(
        whole.data, "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":7,\"status\":\"incomplete\",\"model\":"
                    "\"openclaw\",\"output\":["
                    "{\"type\":\"message\",\"id\":\"msg_1_0\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_"
                    "text\",\"text\":\"a\","
                    "\"annotations\":[]}],\"phase\":\"commentary\",\"status\":\"completed\"},"
                    "{\"type\":\"function_call\",\"id\":\"fc_1_1\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"{}"
                    "\",\"status\":\"completed\"},"
                    "{\"type\":\"message\",\"id\":\"msg_1_2\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_"
                    "text\",\"text\":\"b\","
                    "\"annotations\":[]}],\"phase\":\"commentary\",\"status\":\"completed\"}],"
                    "\"usage\":{\"input_tokens\":3,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":4,"
                    "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":7},\"error\":null,"
                    "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}");
    openresponses_reply_deinit(&reply);
    text_buf_deinit(&names);
    text_buf_deinit(&whole);
}

static void base64_is_strict_and_turns_back(void **state)
{
    static const char *const bad[] = { "a", "ab=c", "abc", "ab==cd==", "a b=", "====" };
    struct text_buf text = { 0 };
    struct text_buf bytes = { 0 };
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (base64_check(span_from(bad[i]), &n)) {
            fail_msg("%s", bad[i]);
        }
    }
    for (size_t len = 0; len < 5; len++) {
        text.len = 0;
        bytes.len = 0;
        assert_int_equal(base64_encode((struct span){ "\xff\x00\x7f\x80", len < 4 ? len : 4 }, &text), 0);
        assert_true(base64_check((struct span){ text.data, text.len }, &n));
        assert_int_equal(n, len < 4 ? len : 4);
        assert_int_equal(base64_decode((struct span){ text.data, text.len }, &bytes), 0);
        assert_int_equal(bytes.len, n);
        assert_memory_equal(bytes.data, "\xff\x00\x7f\x80", n);
    }
    text_buf_deinit(&text);
    text_buf_deinit(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_a_message_of_a_user),
        cmocka_unit_test(calls_gather_behind_an_assistants_message),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(pieces_become_items_and_events),
        cmocka_unit_test(base64_is_strict_and_turns_back),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
