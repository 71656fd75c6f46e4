#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "actors/hooks/template.h"
#include "bus/pack.h"

static const char payload[] = "{a:{b:[{c:'deep'},2.5,true,null]},'':'empty',text:'plain',n:-7,list:[1,'x'],path:'mine',"
                              "evil:'{{text}}',twice:{k:1,k:2}}";

static void fills(const char *text, const char *expected)
{
    struct json_opts opts = { .json5 = true };
    struct text_buf out = { 0 };
    struct template_facts facts = { .path = SPAN_LIT("gh"), .now_ms = 1700000000123 };
    struct pack packs[3];
    struct json_error error;

    for (size_t i = 0; i < 3; i++) {
        static const char *const texts[] = { payload, "{'x-event':'push',a:'b'}", "{q:'1 2'}" };

        pack_init(&packs[i], 0);
        assert_int_equal(json_to_pack(span_from(texts[i]), &opts, &packs[i], &error), 0);
    }
    facts.payload = pack_span(&packs[0]);
    facts.headers = pack_span(&packs[1]);
    facts.query = pack_span(&packs[2]);
    assert_int_equal(template_fill(span_from(text), &facts, 1000, &out), 0);
    assert_int_equal(text_buf_add(&out, SPAN_LIT("\0")), 0);
    assert_string_equal(out.data, expected);
    text_buf_deinit(&out);
    for (size_t i = 0; i < 3; i++) {
        pack_deinit(&packs[i]);
    }
}

static void a_place_is_filled_with_what_is_there(void **state)
{
    (void)state;
    fills("", "");
    fills("no place", "no place");
    fills("{{text}} and {{ text }}!", "plain and plain!");
    fills("{{a.b[0].c}} {{a.b[1]}} {{a.b[2]}} {{n}}", "deep 2.5 true -7");
    fills("{{payload.a.b[0]}}", "{\"c\":\"deep\"}");
    fills("{{list}}{{payload.list[1]}}", "[1,\"x\"]x");
    fills("{{twice.k}}", "2");
}

static void what_is_not_there_leaves_nothing(void **state)
{
    (void)state;
    fills(
        "<{{nope}}{{a.b[9].c}}{{a.b[3]}}{{text.more}}{{list.x}}{{a[0]}}{{list[x]}}{{list[]}}{{list[99999999999999]}}>",
        "<>");
    fills("<{{__proto__}}{{constructor.name}}>", "<>");
}

static void headers_query_path_and_time_have_names(void **state)
{
    (void)state;
    fills("{{headers.x-event}}/{{query.q}}/{{path}}/{{payload.path}}", "push/1 2/gh/mine");
    fills("{{now}}", "2023-11-14T22:13:20.123Z");
    fills("<{{headers.authorization}}{{query.}}>", "<>");
}

static void what_is_put_in_is_not_read_again(void **state)
{
    (void)state;
    fills("{{evil}}", "{{text}}");
}

static void braces_that_are_no_place_stay(void **state)
{
    (void)state;
    fills("{{", "{{");
    fills("{{}}", "{{}}");
    fills("{ {text}} {{text} } {{text", "{ {text}} {{text} } {{text");
    fills("{{{text}}}", "}"); /* the first two count, and there is no "{text" */
    fills("a{b{{text}}c}d", "a{bplainc}d");
}

static void what_becomes_too_long_is_refused(void **state)
{
    struct text_buf out = { 0 };
    struct template_facts facts = { .path = SPAN_LIT("0123456789") };

    (void)state;
    assert_int_equal(template_fill(SPAN_LIT("{{path}}{{path}}"), &facts, 20, &out), 0);
    assert_int_equal(template_fill(SPAN_LIT("{{path}}{{path}}"), &facts, 19, &out), TEMPLATE_E_LONG);
    text_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_filled_with_what_is_there),   cmocka_unit_test(what_is_not_there_leaves_nothing),
        cmocka_unit_test(headers_query_path_and_time_have_names), cmocka_unit_test(what_is_put_in_is_not_read_again),
        cmocka_unit_test(braces_that_are_no_place_stay),          cmocka_unit_test(what_becomes_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
