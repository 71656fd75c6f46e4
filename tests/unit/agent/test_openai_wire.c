#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/agent/openai_wire.h"
#include "bus/base/cleanup.h"

static struct span packed(struct pack *pack, const char *json)
{
    static const struct json_opts opts = { 0 };
    struct json_error error;

    pack_init(pack, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, pack, &error), 0);
    return pack_span(pack);
}

static void request_is(const struct provider_request *request, const char *expected)
{
    struct text_buf text = { 0 };

    assert_int_equal(openai_request_build(request, &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, expected);
    text_buf_deinit(&text);
}

static void a_request_has_the_conversation_and_asks_for_a_stream(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct provider_request request = { .model = "m-1" };

    (void)state;
    request.messages = packed(&pack, "[{\"role\":\"system\",\"content\":\"be \\\"brief\\\"\"},"
                                     "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                                     "{\"type\":\"text\",\"text\":\"b\"}],\"timestamp\":1}]");
    request_is(&request, "{\"model\":\"m-1\",\"messages\":[{\"role\":\"system\",\"content\":\"be \\\"brief\\\"\"},"
                         "{\"role\":\"user\",\"content\":\"a\\nb\"}],\"stream\":true,"
                         "\"stream_options\":{\"include_usage\":true}}");
}

static void options_are_sent_as_they_are(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    CLEANUP(pack_deinit) struct pack options;
    struct provider_request request = { .model = "m" };

    (void)state;
    request.messages = packed(&pack, "[{\"role\":\"user\",\"content\":\"x\"}]");
    request.options = packed(&options, "{\"max_tokens\":5,\"temperature\":0.5,\"stop\":[\"S\"],\"tools\":[{}]}");
    request_is(&request, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":5,"
                         "\"temperature\":0.5,\"stop\":[\"S\"],\"tools\":[{}],\"stream\":true,"
                         "\"stream_options\":{\"include_usage\":true}}");
}

static void calls_and_results_are_sent_in_both_forms(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct provider_request request = { .model = "m" };

    (void)state;
    request.messages = packed(
        &pack, "[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"t\"},{\"type\":\"toolCall\","
               "\"id\":\"c1\",\"name\":\"f\",\"arguments\":{\"a\":1}}]},{\"role\":\"toolResult\",\"toolCallId\":"
               "\"c1\",\"content\":[{\"type\":\"text\",\"text\":\"42\"}]},{\"role\":\"assistant\",\"content\":null,"
               "\"tool_calls\":[{\"id\":\"c2\"}]},{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"\"}]");
    request_is(&request,
               "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":\"t\",\"tool_calls\":[{"
               "\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}"
               "]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"42\"},{\"role\":\"assistant\","
               "\"content\":null,\"tool_calls\":[{\"id\":\"c2\"}]},{\"role\":\"tool\",\"tool_call_id\":\"c2\","
               "\"content\":\"\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
}

static void empty_answers_are_left_out_and_pictures_kept(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct provider_request request = { .model = "m" };

    (void)state;
    request.messages = packed(&pack, "[{\"role\":\"assistant\",\"content\":[]},{\"role\":\"user\",\"content\":["
                                     "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:x\"}}]}]");
    request_is(&request, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
                         "\"image_url\":{\"url\":\"data:x\"}}]}],\"stream\":true,"
                         "\"stream_options\":{\"include_usage\":true}}");
}

static void chunks_give_text_end_and_usage(void **state)
{
    CLEANUP(pack_deinit) struct pack scratch;
    struct openai_chunk chunk;

    (void)state;
    pack_init(&scratch, 0);
    assert_int_equal(openai_chunk_parse(span_from("{\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"hé\"},"
                                                  "\"finish_reason\":null}]}"),
                                        &scratch, &chunk),
                     0);
    assert_true(span_is_text(chunk.text, "hé"));
    assert_true(span_is_text(chunk.response_id, "c1"));
    assert_int_equal(chunk.finish_reason.len, 0);
    assert_int_equal(
        openai_chunk_parse(span_from("{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}"), &scratch, &chunk),
        0);
    assert_true(span_is_text(chunk.finish_reason, "length"));
    assert_int_equal(openai_chunk_parse(span_from("{\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                                                  "\"completion_tokens\":4}}"),
                                        &scratch, &chunk),
                     0);
    assert_true(chunk.has_usage);
    assert_int_equal(chunk.usage.total, 7);
}

static void tool_calls_and_errors_are_seen(void **state)
{
    CLEANUP(pack_deinit) struct pack scratch;
    struct openai_chunk chunk;

    (void)state;
    pack_init(&scratch, 0);
    assert_int_equal(
        openai_chunk_parse(span_from("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}"), &scratch, &chunk),
        0);
    assert_true(chunk.has_tool_call);
    assert_int_equal(openai_chunk_parse(span_from("{\"error\":{\"message\":\"no\"}}"), &scratch, &chunk), 0);
    assert_true(chunk.has_error && span_is_text(chunk.error, "no"));
    assert_int_equal(openai_chunk_parse(span_from("{\"error\":\"plain\"}"), &scratch, &chunk), 0);
    assert_true(chunk.has_error && span_is_text(chunk.error, "plain"));
}

static void what_is_no_chunk_is_rubbish(void **state)
{
    static const char *const cases[] = { "", "{", "[]", "7", "{}", "{\"choices\":7}", "null", "\"x\"" };
    CLEANUP(pack_deinit) struct pack scratch;
    struct openai_chunk chunk;

    (void)state;
    pack_init(&scratch, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(openai_chunk_parse(span_from(cases[i]), &scratch, &chunk), OPENAI_WIRE_E_RUBBISH);
    }
}

static void statuses_are_sorted(void **state)
{
    static const struct {
        long status;
        const char *body;
        enum provider_outcome outcome;
        bool is_retryable;
        const char *text;
    } cases[] = {
        { 500, "{\"error\":{\"message\":\"broken\"}}", PROVIDER_E_DOWN, true, "500 broken" },
        { 503, "<html>", PROVIDER_E_DOWN, true, "503 from the provider, without a reason" },
        { 429, "{\"error\":{\"message\":\"slow\"}}", PROVIDER_E_RATE, true, "429 slow" },
        { 401, "{\"error\":{\"message\":\"key sk-1 is wrong\"}}", PROVIDER_E_AUTH, false,
          "401 key [redacted] is wrong" },
        { 403, "", PROVIDER_E_AUTH, false, "403 from the provider, without a reason" },
        { 404, "{\"message\":\"no model\"}", PROVIDER_E_REFUSED, false, "404 no model" },
        { 400, "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"long\"}}", PROVIDER_E_CONTEXT, false,
          "400 long" },
        { 408, "{\"error\":\"late\"}", PROVIDER_E_TIMEOUT, true, "408 late" },
        { 302, "", PROVIDER_E_REFUSED, false, "302 from the provider, without a reason" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[128];
        bool is_retryable;

        assert_int_equal(
            openai_error_read(cases[i].status, span_from(cases[i].body), "sk-1", text, sizeof(text), &is_retryable),
            cases[i].outcome);
        assert_int_equal(is_retryable, cases[i].is_retryable);
        assert_string_equal(text, cases[i].text);
    }
}

static void texts_are_cleaned_and_cut_between_characters(void **state)
{
    char text[8];
    char wide[32];

    (void)state;
    openai_text_clean(span_from("a\nb\x7f"), NULL, text, sizeof(text));
    assert_string_equal(text, "a b ");
    openai_text_clean(span_from("123456é"), NULL, text, sizeof(text));
    assert_string_equal(text, "123456");
    openai_text_clean(span_from("ab\xc3"), NULL, text, sizeof(text));
    assert_string_equal(text, "ab");
    openai_text_clean(span_from("xkeyxkey"), "key", wide, sizeof(wide));
    assert_string_equal(wide, "x[redacted]x[redacted]");
    openai_text_clean(span_from("xkeyx"), "key", text, sizeof(text));
    assert_string_equal(text, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_the_conversation_and_asks_for_a_stream),
        cmocka_unit_test(options_are_sent_as_they_are),
        cmocka_unit_test(calls_and_results_are_sent_in_both_forms),
        cmocka_unit_test(empty_answers_are_left_out_and_pictures_kept),
        cmocka_unit_test(chunks_give_text_end_and_usage),
        cmocka_unit_test(tool_calls_and_errors_are_seen),
        cmocka_unit_test(what_is_no_chunk_is_rubbish),
        cmocka_unit_test(statuses_are_sorted),
        cmocka_unit_test(texts_are_cleaned_and_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
