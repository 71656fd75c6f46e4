#include "edge/http/openai.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "bus/value.h"
#include "edge/http/endpoints.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static struct endpoints endpoints;
static struct pack raw;
static struct pack made;

static int parse(const char *body, struct openai_request *request, struct openai_error *error)
{
    pack_deinit(&raw);
    pack_deinit(&made);
    pack_init(&raw, 0);
    pack_init(&made, 0);
    return openai_request_parse(span_from(body), &endpoints.chat, &raw, &made, request, error);
}

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

static void json_is(struct span value, const char *expected)
{
    struct text_buf text = { 0 };

    assert_int_equal(json_from_value(value, &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, expected);
    text_buf_deinit(&text);
}

static void refused(const char *body, const char *words)
{
    struct openai_request request;
    struct openai_error error;

    assert_int_equal(parse(body, &request, &error), OPENAI_E_REFUSED);
    assert_int_equal(error.status, 400);
    assert_string_equal(error.type, "invalid_request_error");
    if (!strstr(error.message, words)) {
        fail_msg("%s: %s", body, error.message);
    }
}

static void reads_every_field(void **state)
{
    struct openai_request request;
    struct openai_error error;

    (void)state;
    assert_int_equal(parse("{" USER ",\"model\":\"openclaw/a1\",\"user\":\"u\",\"stream\":true,"
                           "\"stream_options\":{\"include_usage\":true},\"max_completion_tokens\":5,\"max_tokens\":9,"
                           "\"temperature\":0.5,\"top_p\":1,\"stop\":[\"a\",\"b\"],\"unknown\":{}}",
                           &request, &error),
                     0);
    assert_true(span_is(request.model, SPAN_LIT("openclaw/a1")));
    assert_true(span_is(request.agent_id, SPAN_LIT("a1")));
    assert_true(span_is(request.user, SPAN_LIT("u")));
    assert_true(request.is_streamed && request.has_usage && request.has_max_tokens);
    assert_int_equal(request.max_tokens, 5);
    assert_true(request.has_temperature && request.temperature > 0.4 && request.temperature < 0.6);
    assert_true(request.has_top_p && request.top_p > 0.9);
    assert_int_equal(value_count(request.stop), 2);
    assert_int_equal(value_count(request.messages), 1);
}

static void needs_no_more_than_a_message(void **state)
{
    struct openai_request request;
    struct openai_error error;

    (void)state;
    assert_int_equal(parse("{" USER ",\"stop\":null,\"user\":null,\"stream\":null}", &request, &error), 0);
    assert_true(span_is(request.model, SPAN_LIT("openclaw")));
    assert_int_equal(request.agent_id.len, 0);
    assert_false(request.is_streamed);
    assert_false(request.has_max_tokens);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    refused("", "Missing user message");
    refused("{}", "Missing user message");
    refused("{\"messages\":[]}", "Missing user message");
    refused("{\"messages\":[{\"role\":\"system\",\"content\":\"x\"}]}", "Missing user message");
    refused("{\"messages\":{}}", "must be a list");
    refused("{\"messages\":[1]}", "object with a `role`");
    refused("{bad json}", "line 1, column 2");
    refused("[1]", "must be an object");
    refused("{" USER ",\"model\":7}", "`model` must be a string");
    refused("{" USER ",\"model\":\"gpt-4\"}", "Invalid `model`");
    refused("{" USER ",\"model\":\"openclaw/\"}", "Invalid `model`");
    refused("{" USER ",\"stream\":\"yes\"}", "`stream` must be true or false");
    refused("{" USER ",\"stream_options\":{\"include_usage\":1}}", "include_usage");
    refused("{" USER ",\"max_tokens\":0}", "between 1 and");
    refused("{" USER ",\"max_tokens\":\"5\"}", "must be a number");
    refused("{" USER ",\"temperature\":\"warm\"}", "must be a number");
    refused("{" USER ",\"temperature\":1e999}", "`temperature` must be a finite number");
    refused("{" USER ",\"top_p\":-1e999}", "`top_p` must be a finite number");
    refused("{" USER ",\"stop\":7}", "`stop` must be");
    refused("{" USER ",\"stop\":[7]}", "`stop` must hold");
    refused("{" USER ",\"n\":2}", "`n` must be 1");
    refused("{" USER ",\"seed\":0.5}", "`seed` must be");
    refused("{" USER ",\"response_format\":\"json\"}", "`response_format` must be");
    refused("{" USER ",\"parallel_tool_calls\":1}", "`parallel_tool_calls` must be");
    refused("{\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]}", "role `king`");
    refused("{\"messages\":[{\"role\":\"user\",\"content\":7}]}", "must be a string or a list");
    refused("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"video\"}]}]}", "type `video`");
    refused("{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", "needs a `tool_call_id`");
    refused("{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\"}]}]}", "Every entry of `tool_calls`");
}

#define TOOL                                                                                                           \
    "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}"

static void tools_are_taken_and_named(void **state)
{
    struct openai_request request;
    struct openai_error error;

    (void)state;
    assert_int_equal(parse("{" USER ",\"tools\":[" TOOL "],\"tool_choice\":{\"type\":\"function\",\"function\":{"
                           "\"name\":\"f\"}},\"parallel_tool_calls\":false}",
                           &request, &error),
                     0);
    json_is(request.tools, "[" TOOL "]");
    json_is(request.tool_choice, "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}");
    assert_true(request.has_parallel && !request.is_parallel);
    assert_int_equal(parse("{" USER ",\"tools\":[]}", &request, &error), 0);
    assert_int_equal(request.tools.len, 0);
    refused("{" USER ",\"tools\":{}}", "`tools` must be a list");
    refused("{" USER ",\"tools\":[{\"type\":\"web_search\"}]}", "type `function` only");
    refused("{" USER ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]}", "needs a `name`");
    refused("{" USER ",\"tools\":[" TOOL "],\"tool_choice\":\"maybe\"}", "`tool_choice` must be");
    refused("{" USER ",\"tool_choice\":\"required\"}", "there are no `tools`");
    refused("{" USER ",\"tools\":[" TOOL "],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}}",
            "not in `tools`");
}

static void calls_and_results_stay_in_the_conversation(void **state)
{
    static const char messages[] =
        "[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\","
        "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"content\":\"42\",\"tool_call_id\":\"c1\"}]";
    struct openai_request request;
    struct openai_error error;
    char body[512];

    (void)state;
    (void)snprintf(body, sizeof(body), "{\"messages\":%s}", messages);
    assert_int_equal(parse(body, &request, &error), 0);
    json_is(request.messages, messages);
}

static void pictures_have_limits(void **state)
{
#define PICTURE(url)                                                                                                   \
    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" url "\"}}]}]}"
    struct openai_request request;
    struct openai_error error;

    (void)state;
    assert_int_equal(parse(PICTURE("data:image/png;base64,iVBORw0KGgo="), &request, &error), 0);
    assert_int_equal(parse(PICTURE("data:image/png;base64,R0lGODlh"), &request, &error), 0);
    json_is(request.messages, "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
                              "\"data:image/gif;base64,R0lGODlh\"}}]}]");
    assert_int_equal(parse(PICTURE("data:image/heic;base64,QUJD"), &request, &error), 0); /* the agent converts it */
    assert_int_equal(
        parse("{\"model\":\"openclaw\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":"
              "{\"filename\":\"a\",\"file_data\":\"b\",\"url\":\"http://x/\",\"text\":\"t\",\"pdf\":\"p\"}}]}]}",
              &request, &error),
        0);
    json_is(request.messages, "[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_data\":\"b\","
                              "\"filename\":\"a\"}}]}]"); /* what means something to the agent stays out */
    refused(PICTURE(""), "needs a `url`");
    refused(PICTURE("data:image/png;base64,a"), "not base64");
    refused(PICTURE("data:image/tiff;base64,QUJD"), "`image/tiff` are not taken");
    refused(PICTURE("file:///etc/passwd"), "data: URL in base64");
    refused(PICTURE("https://example.com/x.png"), "allowUrl is off");
}

static void refuses_a_body_that_is_nested_too_deep(void **state)
{
    static char body[4096];

    (void)state;
    memset(body, '[', 2000);
    memset(body + 2000, ']', 2000);
    refused(body, "nested deeper");
}

static void knows_the_names_of_agents(void **state)
{
    struct span id;

    (void)state;
    assert_true(openai_agent_of(SPAN_LIT("openclaw"), &id) && id.len == 0);
    assert_true(openai_agent_of(SPAN_LIT("openclaw/default"), &id) && id.len == 0);
    assert_true(openai_agent_of(SPAN_LIT("openclaw:x"), &id) && span_is(id, SPAN_LIT("x")));
    assert_true(openai_agent_of(SPAN_LIT("agent:x"), &id) && span_is(id, SPAN_LIT("x")));
    assert_false(openai_agent_of(SPAN_LIT("openclawx"), &id));
}

static void writes_the_shapes_that_clients_know(void **state)
{
    struct openai_run run = { .id = "chatcmpl_1", .created_s = 7, .model = SPAN_LIT("open\"claw") };
    struct openai_usage usage = { 11, 6 };
    struct openai_error error = { .status = 404, .type = "t", .code = "c", .message = "m\n" };
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(
        openai_completion_write(&run, SPAN_LIT("a\"b"), (struct span){ 0 }, SPAN_LIT("stop"), &usage, &out), 0);
    assert_int_equal(openai_chunk_role(&run, &out), 0);
    assert_int_equal(openai_chunk_text(&run, SPAN_LIT("x"), &out), 0);
    assert_int_equal(openai_chunk_finish(&run, SPAN_LIT("length"), &out), 0);
    assert_int_equal(openai_chunk_usage(&run, &usage, &out), 0);
    assert_int_equal(openai_error_write(&error, &out), 0);
    error.status = 403;
    assert_int_equal(openai_error_write(&error, &out), 0);
    assert_int_equal(openai_model_write(SPAN_LIT("openclaw"), &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(
        out.data,
        "{\"id\":\"chatcmpl_1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"open\\\"claw\",\"choices\":["
        "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\\\"b\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":6,\"total_tokens\":17}}"
        "{\"id\":\"chatcmpl_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"open\\\"claw\","
        "\"choices\":["
        "{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"finish_reason\":null}]}"
        "{\"id\":\"chatcmpl_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"open\\\"claw\","
        "\"choices\":["
        "{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}"
        "{\"id\":\"chatcmpl_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"open\\\"claw\","
        "\"choices\":["
        "{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}"
        "{\"id\":\"chatcmpl_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"open\\\"claw\","
        "\"choices\":[],"
        "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":6,\"total_tokens\":17}}"
        "{\"error\":{\"message\":\"m\\n\",\"type\":\"t\",\"code\":\"c\"}}"
        "{\"ok\":false,\"error\":{\"message\":\"m\\n\",\"type\":\"t\",\"code\":\"c\"}}"
        "{\"id\":\"openclaw\",\"object\":\"model\",\"created\":0,\"owned_by\":\"openclaw\",\"permission\":[]}");
    text_buf_deinit(&out);
}

static void writes_calls_of_tools(void **state)
{
    struct openai_run run = { .id = "chatcmpl_1", .created_s = 7, .model = SPAN_LIT("openclaw") };
    struct openai_usage usage = { 1, 2 };
    struct text_buf out = { 0 };
    struct json_opts opts = { 0 };

    (void)state;
    pack_deinit(&raw);
    pack_init(&raw, 0);
    assert_int_equal(
        json_to_pack(SPAN_LIT("[{\"index\":1,\"id\":\"c1\",\"name\":\"f\",\"arguments\":\"{}\"}]"), &opts, &raw, NULL),
        0);
    assert_int_equal(openai_chunk_calls(&run, pack_span(&raw), &out), 0);
    assert_int_equal(openai_completion_write(&run, SPAN_LIT(""), pack_span(&raw), SPAN_LIT("tool_calls"), &usage, &out),
                     0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(
        out.data,
        "{\"id\":\"chatcmpl_1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"openclaw\",\"choices\":["
        "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"c1\",\"type\":\"function\",\"function\":{"
        "\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":null}]}"
        "{\"id\":\"chatcmpl_1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"openclaw\",\"choices\":["
        "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\","
        "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}]"
        ","
        "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}");
    text_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field),         cmocka_unit_test(needs_no_more_than_a_message),
        cmocka_unit_test(says_what_is_wrong),        cmocka_unit_test(refuses_a_body_that_is_nested_too_deep),
        cmocka_unit_test(knows_the_names_of_agents), cmocka_unit_test(writes_the_shapes_that_clients_know),
        cmocka_unit_test(tools_are_taken_and_named), cmocka_unit_test(calls_and_results_stay_in_the_conversation),
        cmocka_unit_test(pictures_have_limits),      cmocka_unit_test(writes_calls_of_tools),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
