#include "edge/http/embeddings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/value.h"

static void answers_in_both_encodings(void **state)
{
    static const struct json_opts opts = { 0 };
    struct text_buf out = { 0 };
    struct pack vectors;

    (void)state;
    pack_init(&vectors, 0);
    assert_int_equal(json_to_pack(SPAN_LIT("[[1,-0.125],[0.1]]"), &opts, &vectors, NULL), 0);
    assert_int_equal(embeddings_write(pack_span(&vectors), SPAN_LIT("m"), false, 3, &out), 0);
    assert_int_equal(embeddings_write(pack_span(&vectors), SPAN_LIT("m"), true, 0, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(
        out.data,
        "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[1,-0.125]},"
        "{\"object\":\"embedding\",\"index\":1,\"embedding\":[0.1]}],\"model\":\"m\",\"usage\":{\"prompt_tokens\":3,"
        "\"total_tokens\":3}}"
        "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":\"AACAPwAAAL4=\"},"
        "{\"object\":\"embedding\",\"index\":1,\"embedding\":\"zczMPQ==\"}],\"model\":\"m\",\"usage\":{\"prompt_"
        "tokens\":0,"
        "\"total_tokens\":0}}");
    pack_deinit(&vectors);
    text_buf_deinit(&out);
}

static void one_text_is_a_list_of_one(void **state)
{
    struct embeddings_request request;
    struct openai_error error;
    struct pack raw;
    struct pack made;

    (void)state;
    pack_init(&raw, 0);
    pack_init(&made, 0);
    assert_int_equal(
        embeddings_parse(SPAN_LIT("{\"model\":\"openclaw/a\",\"input\":\"x\",\"encoding_format\":\"base64\","
                                  "\"dimensions\":9}"),
                         &raw, &made, &request, &error),
        0);
    assert_int_equal(value_count(request.inputs), 1);
    assert_true(request.is_base64 && request.dimensions == 9 && span_is(request.agent_id, SPAN_LIT("a")));
    pack_deinit(&raw);
    pack_deinit(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_both_encodings),
        cmocka_unit_test(one_text_is_a_list_of_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
