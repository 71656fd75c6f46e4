#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bus/codec.h"
#include "bus/json.h"
#include "bus/value.h"
#include "tests/support/alloc_fail.h"

/* One table with every kind, written by hand so that the codec is tested alone. */

struct inner {
    struct span id;
    bool has_n;
    uint32_t n;
};

struct outer {
    struct span name;
    bool has_on;
    bool on;
    bool has_small;
    uint32_t small;
    bool has_big;
    uint64_t big;
    bool has_sign;
    int64_t sign;
    bool has_ratio;
    double ratio;
    bool has_bytes;
    struct span bytes;
    bool has_any;
    struct span any;
    bool has_inner;
    struct inner inner;
    bool has_list;
    struct span list;
    bool has_rows;
    struct span rows;
    bool has_map;
    struct span map;
    struct span maybe;
    bool has_choice;
    struct span choice;
    bool has_secret;
    struct span secret;
    bool has_hidden;
    struct span hidden;
};

#define WHERE(s, member) offsetof(struct s, member), offsetof(struct s, has_##member)
#define NEEDED(s, member) offsetof(struct s, member), UINT32_MAX
#define FREE_RANGE INT64_MIN, INT64_MAX

static const struct schema_field inner_fields[] = {
    { "id", 2, SCHEMA_STR, SCHEMA_REQUIRED, NEEDED(inner, id), 1, 8, NULL, NULL, NULL },
    { "n", 1, SCHEMA_U32, 0, WHERE(inner, n), 0, 10, NULL, NULL, NULL },
};
static const struct schema_type inner_type = { "inner", sizeof(struct inner), inner_fields, 2, 0 };

static const char *const choices[] = { "red", "green", NULL };
static const struct schema_field text_item = { "", 0, SCHEMA_STR, 0, 0, UINT32_MAX, 1, 4, NULL, NULL, NULL };
static const struct schema_field inner_item = { "",         0,          SCHEMA_STRUCT, 0,           0,
                                                UINT32_MAX, FREE_RANGE, NULL,          &inner_type, NULL };
static const struct schema_field bool_item = { "", 0, SCHEMA_BOOL, 0, 0, UINT32_MAX, FREE_RANGE, NULL, NULL, NULL };

static const struct schema_field outer_fields[] = {
    { "name", 4, SCHEMA_STR, SCHEMA_REQUIRED | SCHEMA_PATTERN_NONBLANK, NEEDED(outer, name), 1, 16, NULL, NULL, NULL },
    { "on", 2, SCHEMA_BOOL, SCHEMA_NULLABLE, WHERE(outer, on), FREE_RANGE, NULL, NULL, NULL },
    { "small", 5, SCHEMA_U32, 0, WHERE(outer, small), 2, 100, NULL, NULL, NULL },
    { "big", 3, SCHEMA_U64, 0, WHERE(outer, big), 0, INT64_MAX, NULL, NULL, NULL },
    { "sign", 4, SCHEMA_I64, 0, WHERE(outer, sign), FREE_RANGE, NULL, NULL, NULL },
    { "ratio", 5, SCHEMA_F64, 0, WHERE(outer, ratio), 0, 1, NULL, NULL, NULL },
    { "bytes", 5, SCHEMA_BIN, 0, WHERE(outer, bytes), 1, 4, NULL, NULL, NULL },
    { "any", 3, SCHEMA_ANY, 0, WHERE(outer, any), FREE_RANGE, NULL, NULL, NULL },
    { "inner", 5, SCHEMA_STRUCT, 0, WHERE(outer, inner), FREE_RANGE, NULL, &inner_type, NULL },
    { "list", 4, SCHEMA_LIST, 0, WHERE(outer, list), 1, 3, NULL, NULL, &text_item },
    { "rows", 4, SCHEMA_LIST, 0, WHERE(outer, rows), 0, 3, NULL, NULL, &inner_item },
    { "map", 3, SCHEMA_MAP, 0, WHERE(outer, map), 0, 2, NULL, NULL, &bool_item },
    { "maybe", 5, SCHEMA_STR, SCHEMA_REQUIRED | SCHEMA_NULLABLE, NEEDED(outer, maybe), 0, 8, NULL, NULL, NULL },
    { "choice", 6, SCHEMA_STR, 0, WHERE(outer, choice), 0, 5, choices, NULL, NULL },
    { "secret", 6, SCHEMA_STR, SCHEMA_SENSITIVE, WHERE(outer, secret), 0, 64, NULL, NULL, NULL },
    { "_hidden", 7, SCHEMA_STR, SCHEMA_INTERNAL, WHERE(outer, hidden), 0, 64, NULL, NULL, NULL },
};
static const struct schema_type outer_type = { "outer", sizeof(struct outer), outer_fields, 16, 0 };

/* msgpack from JSON text, without a table. */
static struct span packed(struct pack *pack, const char *json)
{
    static const struct json_opts opts = { .json5 = true };

    pack_init(pack, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, pack, NULL), 0);
    return pack_span(pack);
}

static int decode(const char *json, struct outer *out, struct codec_error *error)
{
    struct pack pack;
    int r = codec_decode(&outer_type, packed(&pack, json), out, error);

    pack_deinit(&pack);
    return r;
}

static void assert_refused(const char *json, const char *path, const char *text)
{
    struct codec_error error;
    struct outer out;

    assert_int_equal(decode(json, &out, &error), CODEC_E_REFUSED);
    assert_string_equal(error.path, path);
    assert_string_equal(error.text, text);
    assert_null(out.name.ptr);
    assert_int_equal(decode(json, &out, NULL), CODEC_E_REFUSED);
}

static void decodes_every_kind(void **state)
{
    struct codec_error error;
    struct outer out;
    struct pack pack;
    struct span body;

    (void)state;
    body = packed(&pack, "{name:'n',on:true,small:7,big:18446744073709551615,sign:-5,ratio:0.5,any:[1,{a:2}],"
                         "inner:{id:'i',n:3},list:['a','b'],rows:[{id:'r'}],map:{x:true},maybe:'m',choice:'red'}");
    assert_int_equal(codec_decode(&outer_type, body, &out, &error), 0);
    assert_true(span_is_text(out.name, "n"));
    assert_true(out.has_on && out.on);
    assert_true(out.has_small && out.small == 7);
    assert_true(out.has_big && out.big == UINT64_MAX);
    assert_true(out.has_sign && out.sign == -5);
    assert_true(out.has_ratio && out.ratio == 0.5);
    assert_true(out.has_any && value_count(out.any) == 2);
    assert_true(out.has_inner && span_is_text(out.inner.id, "i") && out.inner.has_n && out.inner.n == 3);
    assert_true(out.has_list && value_count(out.list) == 2);
    assert_true(out.has_rows && value_count(out.rows) == 1);
    assert_true(out.has_map && value_bool(value_get(out.map, "x"), false));
    assert_true(span_is_text(out.maybe, "m"));
    assert_true(out.has_choice && span_is_text(out.choice, "red"));
    assert_false(out.has_bytes || out.has_secret || out.has_hidden);
    pack_deinit(&pack);
}

static void spans_borrow_from_the_body(void **state)
{
    struct outer out;
    struct pack pack;
    struct span body = packed(&pack, "{name:'n',maybe:null}");

    (void)state;
    assert_int_equal(codec_decode(&outer_type, body, &out, NULL), 0);
    assert_true(out.name.ptr > body.ptr && out.name.ptr < body.ptr + body.len);
    pack_deinit(&pack);
}

static void ignores_keys_it_does_not_know_and_any_order(void **state)
{
    struct outer out;

    (void)state;
    assert_int_equal(decode("{later:{x:[1]},maybe:null,small:2,name:'n',more:1}", &out, NULL), 0);
    assert_true(out.has_small && out.small == 2);
    assert_null(out.maybe.ptr);
}

static void nil_in_a_nullable_field_means_absent(void **state)
{
    struct outer out;

    (void)state;
    assert_int_equal(decode("{name:'n',maybe:null,on:null}", &out, NULL), 0);
    assert_false(out.has_on);
    assert_int_equal(out.maybe.len, 0);
}

static void a_field_that_stands_there_twice_is_refused(void **state)
{
    struct codec_error error;
    struct pack pack;
    struct outer out;

    (void)state;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "name", "n");
    pack_kv_text(&pack, "unknown", "x");
    pack_kv_text(&pack, "maybe", NULL);
    pack_kv_text(&pack, "unknown", "y");
    pack_kv_text(&pack, "name", "m");
    pack_map_end(&pack);
    assert_int_equal(codec_decode(&outer_type, pack_span(&pack), &out, &error), CODEC_E_REFUSED);
    assert_string_equal(error.text, "must have property 'name' only once");
    pack_deinit(&pack);
}

static void a_whole_float_is_a_whole_number(void **state)
{
    struct pack pack;
    struct outer out;

    (void)state;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "name", "n");
    pack_kv_text(&pack, "maybe", NULL);
    pack_kv_f64(&pack, "small", 5.0);
    pack_kv_f64(&pack, "sign", -7.0);
    pack_kv_i64(&pack, "ratio", 1);
    pack_map_end(&pack);
    assert_int_equal(codec_decode(&outer_type, pack_span(&pack), &out, NULL), 0);
    assert_int_equal(out.small, 5);
    assert_true(out.sign == -7);
    assert_true(out.ratio == 1.0);
    pack_deinit(&pack);
}

static void refuses_and_names_path_and_rule(void **state)
{
    (void)state;
    assert_refused("[]", "", "must be object");
    assert_refused("{maybe:null}", "", "must have required property 'name'");
    assert_refused("{name:'n'}", "", "must have required property 'maybe'");
    assert_refused("{name:1,maybe:null}", "name", "must be string");
    assert_refused("{name:'',maybe:null}", "name", "must NOT have fewer than 1 characters");
    assert_refused("{name:'12345678901234567',maybe:null}", "name", "must NOT have more than 16 characters");
    assert_refused("{name:' \\t',maybe:null}", "name", "must match pattern \"\\S\"");
    assert_refused("{name:'n',maybe:null,on:1}", "on", "must be boolean");
    assert_refused("{name:'n',maybe:null,small:'x'}", "small", "must be integer");
    assert_refused("{name:'n',maybe:null,small:null}", "small", "must be integer");
    assert_refused("{name:'n',maybe:null,small:2.5}", "small", "must be integer");
    assert_refused("{name:'n',maybe:null,small:NaN}", "small", "must be integer");
    assert_refused("{name:'n',maybe:null,small:1}", "small", "must be >= 2");
    assert_refused("{name:'n',maybe:null,small:101}", "small", "must be <= 100");
    assert_refused("{name:'n',maybe:null,small:18446744073709551615}", "small", "must be <= 100");
    assert_refused("{name:'n',maybe:null,big:-1}", "big", "must be >= 0");
    assert_refused("{name:'n',maybe:null,big:1e30}", "big", "must be <= 18446744073709551615");
    assert_refused("{name:'n',maybe:null,sign:18446744073709551615}", "sign", "must be <= 9223372036854775807");
    assert_refused("{name:'n',maybe:null,sign:-1e30}", "sign", "must be >= -9223372036854775808");
    assert_refused("{name:'n',maybe:null,ratio:'x'}", "ratio", "must be number");
    assert_refused("{name:'n',maybe:null,ratio:Infinity}", "ratio", "must be number");
    assert_refused("{name:'n',maybe:null,ratio:-0.1}", "ratio", "must be >= 0");
    assert_refused("{name:'n',maybe:null,ratio:1.5}", "ratio", "must be <= 1");
    assert_refused("{name:'n',maybe:null,bytes:'x'}", "bytes", "must be binary");
    assert_refused("{name:'n',maybe:null,inner:[]}", "inner", "must be object");
    assert_refused("{name:'n',maybe:null,inner:{}}", "inner", "must have required property 'id'");
    assert_refused("{name:'n',maybe:null,inner:{id:'x',n:11}}", "inner/n", "must be <= 10");
    assert_refused("{name:'n',maybe:null,list:{}}", "list", "must be array");
    assert_refused("{name:'n',maybe:null,list:[]}", "list", "must NOT have fewer than 1 items");
    assert_refused("{name:'n',maybe:null,list:['a','b','c','d']}", "list", "must NOT have more than 3 items");
    assert_refused("{name:'n',maybe:null,list:['a','']}", "list/1", "must NOT have fewer than 1 characters");
    assert_refused("{name:'n',maybe:null,rows:[{id:'a'},{id:'b',n:'x'}]}", "rows/1/n", "must be integer");
    assert_refused("{name:'n',maybe:null,map:[]}", "map", "must be object");
    assert_refused("{name:'n',maybe:null,map:{a:true,b:true,c:true}}", "map", "must NOT have more than 2 properties");
    assert_refused("{name:'n',maybe:null,map:{'a/b~':1}}", "map/a~1b~0", "must be boolean");
    assert_refused("{name:'n',maybe:null,choice:'blue'}", "choice", "must be equal to one of the allowed values");
}

static void refuses_bytes_that_are_no_message(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        { "", 0 },
        { "\xdf\xff\xff\xff\xff", 5 },
        { "\x81\x01\x01", 3 },
        { "\x81\xa1z\xc1", 4 },
        { "\x80\x80", 2 },
        { "\x81\xa1z", 3 },
        { "\x81", 1 },
    };
    struct codec_error error;
    struct outer out;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct span body = { bad[i].bytes, bad[i].len };

        assert_int_equal(codec_decode(&outer_type, body, &out, &error), CODEC_E_REFUSED);
        assert_string_equal(error.path, "");
        assert_string_equal(error.text, "must be one well-formed msgpack value");
    }
}

static void refuses_text_that_is_not_utf8(void **state)
{
    struct codec_error error;
    struct outer out;

    (void)state;
    assert_int_equal(codec_decode(&outer_type, SPAN_LIT("\x82\xa4name\xa1\xff\xa5maybe\xc0"), &out, &error),
                     CODEC_E_REFUSED);
    assert_string_equal(error.path, "name");
    assert_string_equal(error.text, "must be UTF-8 text");
}

static void binary_fields_keep_their_bytes_and_limits(void **state)
{
    struct codec_error error;
    struct outer out;

    (void)state;
    assert_int_equal(codec_decode(&outer_type,
                                  SPAN_LIT("\x83\xa4name\xa1n\xa5maybe\xc0\xa5"
                                           "bytes\xc4\x02\x00\xff"),
                                  &out, &error),
                     0);
    assert_int_equal(out.bytes.len, 2);
    assert_int_equal(codec_decode(&outer_type,
                                  SPAN_LIT("\x83\xa4name\xa1n\xa5maybe\xc0\xa5"
                                           "bytes\xc4\x05\x00\xff\x00\x00\x00"),
                                  &out, &error),
                     CODEC_E_REFUSED);
    assert_string_equal(error.text, "must have 1 to 4 bytes");
}

static void decodes_one_element_of_a_list(void **state)
{
    struct codec_error error;
    struct inner row;
    struct pack pack;
    struct span list = packed(&pack, "[{id:'a',n:1},{n:1}]");
    struct value_iter it = value_iter(list);
    struct span none;
    struct span item;

    (void)state;
    assert_true(value_next(&it, &none, &item));
    assert_int_equal(codec_decode_item(&inner_item, item, &row, &error), 0);
    assert_true(span_is_text(row.id, "a"));
    assert_true(value_next(&it, &none, &item));
    assert_int_equal(codec_decode_item(&inner_item, item, &row, &error), CODEC_E_REFUSED);
    assert_string_equal(error.text, "must have required property 'id'");
    pack_deinit(&pack);
}

static struct outer full(void)
{
    return (struct outer){
        .name = SPAN_LIT("n"),
        .has_on = true,
        .on = true,
        .has_small = true,
        .small = 3,
        .has_big = true,
        .big = UINT64_MAX,
        .has_sign = true,
        .sign = -9,
        .has_ratio = true,
        .ratio = 0.25,
        .has_bytes = true,
        .bytes = SPAN_LIT("\x00\x01"),
        .has_any = true,
        .any = SPAN_LIT("\x92\x01\xc0"),
        .has_inner = true,
        .inner = { .id = SPAN_LIT("i") },
        .has_list = true,
        .list = SPAN_LIT("\x91\xa1x"),
        .has_map = true,
        .map = SPAN_LIT("\x81\xa1k\xc3"),
        .has_choice = true,
        .choice = SPAN_LIT("green"),
        .has_secret = true,
        .secret = SPAN_LIT("s"),
    };
}

static void what_is_encoded_decodes_to_the_same(void **state)
{
    struct outer in = full();
    struct outer out;
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    assert_int_equal(codec_encode(&outer_type, &in, &pack, NULL), 0);
    assert_int_equal(pack_error(&pack), 0);
    assert_int_equal(codec_decode(&outer_type, pack_span(&pack), &out, NULL), 0);
    assert_true(out.big == in.big && out.sign == in.sign && out.ratio == in.ratio && out.small == in.small);
    assert_true(span_is(out.bytes, in.bytes) && span_is(out.any, in.any) && span_is(out.list, in.list));
    assert_true(span_is(out.map, in.map) && span_is(out.choice, in.choice) && span_is(out.inner.id, in.inner.id));
    assert_false(out.has_rows || out.has_hidden || out.inner.has_n);
    assert_int_equal(value_kind_of(value_get(pack_span(&pack), "maybe")), VALUE_NIL);
    pack_deinit(&pack);
}

static void encodes_into_an_open_container(void **state)
{
    struct inner in = { .id = SPAN_LIT("i") };
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    pack_array_begin(&pack);
    assert_int_equal(codec_encode(&inner_type, &in, &pack, NULL), 0);
    in.id = (struct span){ 0 };
    assert_int_equal(codec_encode(&inner_type, &in, &pack, NULL), CODEC_E_REFUSED);
    in.id = SPAN_LIT("j");
    assert_int_equal(codec_encode(&inner_type, &in, &pack, NULL), 0);
    pack_array_end(&pack);
    assert_int_equal(pack_error(&pack), 0);
    assert_int_equal(value_count(pack_span(&pack)), 2);
    assert_true(wire_check(pack.data, pack.len, 4));
    pack_deinit(&pack);
}

static void assert_encode_refused(const struct outer *in, const char *path, const char *text)
{
    struct codec_error error;
    struct pack pack;

    pack_init(&pack, 0);
    pack_bool(&pack, true);
    assert_int_equal(codec_encode(&outer_type, in, &pack, &error), CODEC_E_REFUSED);
    assert_string_equal(error.path, path);
    assert_string_equal(error.text, text);
    assert_int_equal(pack.len, 1);
    assert_int_equal(pack_error(&pack), 0);
    assert_int_equal(codec_encode(&outer_type, in, &pack, NULL), CODEC_E_REFUSED);
    pack_deinit(&pack);
}

static void encoding_checks_the_same_limits(void **state)
{
    struct outer in = full();

    (void)state;
    in.name = (struct span){ 0 };
    assert_encode_refused(&in, "name", "must NOT have fewer than 1 characters");
    in = full();
    in.name = SPAN_LIT("\xff");
    assert_encode_refused(&in, "name", "must be UTF-8 text");
    in = full();
    in.small = 1;
    assert_encode_refused(&in, "small", "must be >= 2");
    in = full();
    in.ratio = 2;
    assert_encode_refused(&in, "ratio", "must be <= 1");
    in = full();
    in.bytes = (struct span){ 0 };
    assert_encode_refused(&in, "bytes", "must have 1 to 4 bytes");
    in = full();
    in.choice = SPAN_LIT("blue");
    assert_encode_refused(&in, "choice", "must be equal to one of the allowed values");
    in = full();
    in.inner.has_n = true;
    in.inner.n = 99;
    assert_encode_refused(&in, "inner/n", "must be <= 10");
    in = full();
    in.list = SPAN_LIT("\x92\xa1x\x01");
    assert_encode_refused(&in, "list/1", "must be string");
    in = full();
    in.list = (struct span){ 0 };
    assert_encode_refused(&in, "list", "must NOT have fewer than 1 items");
    in = full();
    in.list = SPAN_LIT("\xdf\xff\xff\xff\xff");
    assert_encode_refused(&in, "list", "must be array");
    in = full();
    in.any = SPAN_LIT("\x91");
    assert_encode_refused(&in, "", "does not fit 'outer'");
    in = full();
    in.map = SPAN_LIT("\x81\xa1k\x01");
    assert_encode_refused(&in, "map/k", "must be boolean");
}

static void an_empty_span_is_an_empty_container_or_nil(void **state)
{
    struct outer in = full();
    struct pack pack;

    (void)state;
    in.any = (struct span){ 0 };
    in.has_rows = true;
    in.map = (struct span){ 0 };
    pack_init(&pack, 0);
    assert_int_equal(codec_encode(&outer_type, &in, &pack, NULL), 0);
    assert_int_equal(value_kind_of(value_get(pack_span(&pack), "any")), VALUE_NIL);
    assert_int_equal(value_kind_of(value_get(pack_span(&pack), "rows")), VALUE_ARRAY);
    assert_int_equal(value_kind_of(value_get(pack_span(&pack), "map")), VALUE_MAP);
    pack_deinit(&pack);
}

static void a_full_pack_is_a_fault_of_encoding(void **state)
{
    struct outer in = full();
    struct pack pack;

    (void)state;
    pack_init(&pack, 20);
    assert_int_equal(codec_encode(&outer_type, &in, &pack, NULL), -E2BIG);
    assert_int_equal(codec_encode(&outer_type, &in, &pack, NULL), -E2BIG);
    pack_deinit(&pack);
}

static void every_failed_allocation_of_encoding_is_told(void **state)
{
    struct outer in = full();

    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct pack pack;
        bool failed;
        int r;

        pack_init(&pack, 0);
        alloc_fail_at(nth);
        r = codec_encode(&outer_type, &in, &pack, NULL);
        failed = alloc_fail_happened();
        alloc_fail_at(0);
        assert_int_equal(r, failed ? -ENOMEM : 0);
        pack_deinit(&pack);
        if (!failed) {
            break;
        }
    }
}

static const struct schema_field secret_item = { "",   0,    SCHEMA_STR, SCHEMA_SENSITIVE, 0, UINT32_MAX, 0, 64,
                                                 NULL, NULL, NULL };
static const struct schema_field safe_fields[] = {
    { "outer", 5, SCHEMA_STRUCT, 0, 0, UINT32_MAX, FREE_RANGE, NULL, &outer_type, NULL },
    { "keys", 4, SCHEMA_LIST, 0, 0, UINT32_MAX, 0, 9, NULL, NULL, &secret_item },
    { "env", 3, SCHEMA_MAP, 0, 0, UINT32_MAX, 0, 9, NULL, NULL, &secret_item },
    { "blob", 4, SCHEMA_ANY, SCHEMA_SENSITIVE, 0, UINT32_MAX, FREE_RANGE, NULL, NULL, NULL },
};
static const struct schema_type safe_type = { "safe", 1, safe_fields, 4, 0 };

static void assert_redacted(const struct schema_type *type, const char *json, const char *expected)
{
    struct text_buf text = { 0 };
    struct pack in;
    struct pack out;

    pack_init(&out, 0);
    assert_int_equal(codec_redact(type, packed(&in, json), &out), 0);
    assert_int_equal(json_from_value(pack_span(&out), &text), 0);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
    text_buf_deinit(&text);
    pack_deinit(&in);
    pack_deinit(&out);
}

static void redacts_sensitive_fields_wherever_they_are(void **state)
{
    (void)state;
    assert_redacted(&safe_type, "{outer:{name:'n',secret:'s'},keys:['a','b'],env:{k:'v'},blob:{deep:['x']},new:'kept'}",
                    "{\"outer\":{\"name\":\"n\",\"secret\":\"[redacted]\"},\"keys\":[\"[redacted]\",\"[redacted]\"],"
                    "\"env\":{\"k\":\"[redacted]\"},\"blob\":\"[redacted]\",\"new\":\"kept\"}");
    assert_redacted(&safe_type, "{outer:5,keys:{},env:[],blob:null}",
                    "{\"outer\":5,\"keys\":{},\"env\":[],\"blob\":\"[redacted]\"}");
    assert_redacted(&safe_type, "[1]", "[1]");
    assert_redacted(NULL, "{blob:'kept'}", "{\"blob\":\"kept\"}");
}

static void refuses_to_redact_what_is_malformed(void **state)
{
    struct pack out;

    (void)state;
    pack_init(&out, 0);
    assert_int_equal(codec_redact(&safe_type, SPAN_LIT("\x81"), &out), CODEC_E_REFUSED);
    assert_int_equal(out.len, 0);
    pack_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_every_kind),
        cmocka_unit_test(spans_borrow_from_the_body),
        cmocka_unit_test(ignores_keys_it_does_not_know_and_any_order),
        cmocka_unit_test(nil_in_a_nullable_field_means_absent),
        cmocka_unit_test(a_field_that_stands_there_twice_is_refused),
        cmocka_unit_test(a_whole_float_is_a_whole_number),
        cmocka_unit_test(refuses_and_names_path_and_rule),
        cmocka_unit_test(refuses_bytes_that_are_no_message),
        cmocka_unit_test(refuses_text_that_is_not_utf8),
        cmocka_unit_test(binary_fields_keep_their_bytes_and_limits),
        cmocka_unit_test(decodes_one_element_of_a_list),
        cmocka_unit_test(what_is_encoded_decodes_to_the_same),
        cmocka_unit_test(encodes_into_an_open_container),
        cmocka_unit_test(encoding_checks_the_same_limits),
        cmocka_unit_test(an_empty_span_is_an_empty_container_or_nil),
        cmocka_unit_test(a_full_pack_is_a_fault_of_encoding),
        cmocka_unit_test(every_failed_allocation_of_encoding_is_told),
        cmocka_unit_test(redacts_sensitive_fields_wherever_they_are),
        cmocka_unit_test(refuses_to_redact_what_is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
