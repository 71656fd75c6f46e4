#include "edge/http/openai.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "bus/value.h"

#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static int parse(const char *body, struct openai_request *request, struct openai_error *error)
{
    static struct pack pack;
    int r;

    pack_deinit(&pack);
    pack_init(&pack, 0);
    r = openai_request_parse(span_from(body), &pack, request, error);
    if (r) {
        pack_deinit(&pack);
        pack_init(&pack, 0);
    }
    return r;
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
    refused("{" USER ",\"stop\":7}", "`stop` must be");
    refused("{" USER ",\"stop\":[7]}", "`stop` must hold");
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
    struct text_buf out = { NULL, 0, 0 };

    (void)state;
    assert_int_equal(openai_completion_write(&run, SPAN_LIT("a\"b"), SPAN_LIT("stop"), &usage, &out), 0);
    assert_int_equal(openai_chunk_role(&run, &out), 0);
    assert_int_equal(openai_chunk_text(&run, SPAN_LIT("x"), &out), 0);
    assert_int_equal(openai_chunk_finish(&run, SPAN_LIT("length"), &out), 0);
    assert_int_equal(openai_chunk_usage(&run, &usage, &out), 0);
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
        "{\"id\":\"openclaw\",\"object\":\"model\",\"created\":0,\"owned_by\":\"openclaw\",\"permission\":[]}");
    text_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field),         cmocka_unit_test(needs_no_more_than_a_message),
        cmocka_unit_test(says_what_is_wrong),        cmocka_unit_test(refuses_a_body_that_is_nested_too_deep),
        cmocka_unit_test(knows_the_names_of_agents), cmocka_unit_test(writes_the_shapes_that_clients_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
