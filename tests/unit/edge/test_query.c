#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bus/json.h"
#include "edge/http/query.h"

static void packed_is(const char *query, const char *expected)
{
    struct text_buf text = { 0 };
    struct pack pack;

    pack_init(&pack, 0);
    query_pack(span_from(query), 3, &pack);
    assert_int_equal(json_from_value(pack_span(&pack), &text), 0);
    assert_int_equal(text_buf_add(&text, SPAN_LIT("\0")), 0);
    assert_string_equal(text.data, expected);
    text_buf_deinit(&text);
    pack_deinit(&pack);
}

static void pairs_are_decoded(void **state)
{
    (void)state;
    packed_is("", "{}");
    packed_is("&&", "{}");
    packed_is("a=1&b", "{\"a\":\"1\",\"b\":\"\"}");
    packed_is("a+b=c+d%20e&%C3%B6=%c3%96=x", "{\"a b\":\"c d e\",\"\xc3\xb6\":\"\xc3\x96=x\"}");
    packed_is("=v&a=%zz%2", "{\"\":\"v\",\"a\":\"%zz%2\"}");
}

static void of_a_name_the_last_value_counts_and_what_is_no_text_is_left_out(void **state)
{
    (void)state;
    packed_is("a=1&%61=2", "{\"a\":\"2\"}");
    packed_is("a=%ff&b=1", "{\"b\":\"1\"}");
    packed_is("a=1&b=2&c=3&d=4", "{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}");
}

static void a_name_is_found_however_it_is_written(void **state)
{
    (void)state;
    assert_true(query_has(SPAN_LIT("x=1&token=2"), "token"));
    assert_true(query_has(SPAN_LIT("%74%6Fken"), "token"));
    assert_false(query_has(SPAN_LIT("tokens=1&x=token"), "token"));
    assert_false(query_has(SPAN_LIT(""), "token"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_decoded),
        cmocka_unit_test(of_a_name_the_last_value_counts_and_what_is_no_text_is_left_out),
        cmocka_unit_test(a_name_is_found_however_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
