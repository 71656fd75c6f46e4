#include "tests/unit/config/support.h"

#include <stdio.h>

#include "schema/base/json5_edit.h"

#define KEY(text)                                                                                                      \
    {                                                                                                                  \
        .key = {(text), sizeof(text) - 1 }                                                                             \
    }
#define INDEX(n)                                                                                                       \
    {                                                                                                                  \
        .index = (n)                                                                                                   \
    }

static const char config[] = "// mine\n"
                             "{\n"
                             "  gateway: { mode: 'local', port: 18789 }, // listens\n"
                             "  \"models\": {\n"
                             "    providers: {\n"
                             "      a: { apiKey: 'x' }, /* first */\n"
                             "    }\n"
                             "  },\n"
                             "  agents: {list: [ {id: 'one'}, {id: 'two'} ]} // last\n"
                             "}\n";

static void assert_set(const char *text, const struct json5_step *steps, size_t n, const char *json, const char *after)
{
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };
    struct pack value;

    pack_init(&value, 0);
    json_pack(json, &value);
    assert_int_equal(json5_set(span_from(text), steps, n, pack_span(&value), &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(out.data, after);
    pack_deinit(&value);
}

static void assert_removed(const char *text, const struct json5_step *steps, size_t n, const char *after)
{
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };

    assert_int_equal(json5_remove(span_from(text), steps, n, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(out.data, after);
}

/* `text` with the first `from` replaced. */
static const char *changed(const char *text, const char *from, const char *to, char out[2048])
{
    const char *at = strstr(text, from);

    assert_non_null(at);
    snprintf(out, 2048, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static void replaces_a_value_and_nothing_else(void **state)
{
    const struct json5_step port[] = { KEY("gateway"), KEY("port") };
    const struct json5_step id[] = { KEY("agents"), KEY("list"), INDEX(1), KEY("id") };
    char after[2048];

    (void)state;
    assert_set(config, port, 2, "1", changed(config, "18789", "1", after));
    assert_set(config, id, 4, "'x y'", changed(config, "'two'", "\"x y\"", after));
}

static void adds_a_member_the_way_its_neighbours_are_written(void **state)
{
    const struct json5_step bind[] = { KEY("gateway"), KEY("bind") };
    const struct json5_step provider[] = { KEY("models"), KEY("providers"), KEY("b-2"), KEY("api") };
    const struct json5_step ui[] = { KEY("ui") };
    const struct json5_step third[] = { KEY("agents"), KEY("list"), INDEX(2) };
    char after[2048];

    (void)state;
    assert_set(config, bind, 2, "'lan'", changed(config, "18789", "18789, bind: \"lan\"", after));
    assert_set(config, provider, 4, "'x'",
               changed(config, "{ apiKey: 'x' }, /* first */\n",
                       "{ apiKey: 'x' }, /* first */\n      \"b-2\": {\n        \"api\": \"x\"\n      },\n", after));
    assert_set(config, ui, 1, "{a:1}",
               changed(config, "} // last\n", "}, // last\n  ui: {\n    \"a\": 1\n  }\n", after));
    assert_set(config, third, 3, "3", changed(config, "{id: 'two'}", "{id: 'two'}, 3", after));
}

static void makes_the_objects_that_lead_to_a_value(void **state)
{
    const struct json5_step deep[] = { KEY("a"), KEY("b c") };
    const struct json5_step none[] = { KEY("a") };

    (void)state;
    assert_set("{}", deep, 2, "true", "{\n  \"a\": {\n    \"b c\": true\n  }\n}");
    assert_set("{ /* why */ }\n", none, 1, "1", "{ /* why */\n  \"a\": 1\n}\n");
    assert_set("{\n}\n", none, 1, "1", "{\n  \"a\": 1\n}\n");
    assert_set("{x: {\n}}", deep, 2, "1", "{x: {\n}, a: {\"b c\":1}}");
}

static void removes_a_member_with_its_comma(void **state)
{
    const struct json5_step gateway[] = { KEY("gateway") };
    const struct json5_step agents[] = { KEY("agents") };
    const struct json5_step port[] = { KEY("gateway"), KEY("port") };
    const struct json5_step mode[] = { KEY("gateway"), KEY("mode") };
    const struct json5_step first[] = { KEY("agents"), KEY("list"), INDEX(0) };
    const struct json5_step absent[] = { KEY("gateway"), KEY("x") };
    char after[2048];
    char once[2048];

    (void)state;
    assert_removed(config, port, 2, changed(config, ", port: 18789", "", after));
    assert_removed(config, mode, 2, changed(config, "mode: 'local', ", "", after));
    assert_removed(config, first, 3, changed(config, "{id: 'one'}, ", "", after));
    assert_removed(config, absent, 2, config);
    assert_removed(config, gateway, 1, changed(config, "gateway: { mode: 'local', port: 18789 }, ", "", after));
    changed(config, "  },\n  agents", "  }\n  agents", once);
    assert_removed(config, agents, 1, changed(once, "agents: {list: [ {id: 'one'}, {id: 'two'} ]} ", "", after));
    assert_removed("{a: 1,\n b: 2,\n a: 3\n}", &(struct json5_step)KEY("a"), 1, "{\n b: 2\n}");
    assert_removed("{a: 1}", &(struct json5_step)KEY("a"), 1, "{}");
}

static void knows_keys_however_they_are_spelled(void **state)
{
    const struct json5_step key[] = { KEY("key") };

    (void)state;
    assert_set("{k\\u0065y: 1}", key, 1, "2", "{k\\u0065y: 2}");
    assert_set("{'k\\x65y': 1, /* 'key': */ other: '}'}", key, 1, "2", "{'k\\x65y': 2, /* 'key': */ other: '}'}");
    assert_set("{'key': 1, \"key\": 3}", key, 1, "2", "{'key': 1, \"key\": 2}");
}

static void refuses_a_path_that_leads_nowhere(void **state)
{
    const struct json5_step through[] = { KEY("gateway"), KEY("port"), KEY("x") };
    const struct json5_step past[] = { KEY("agents"), KEY("list"), INDEX(5) };
    const struct json5_step index[] = { INDEX(0) };
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(json5_set(span_from(config), through, 3, SPAN_LIT("\x01"), &out), JSON5_EDIT_E_NO_PLACE);
    assert_int_equal(json5_set(span_from(config), past, 3, SPAN_LIT("\x01"), &out), JSON5_EDIT_E_NO_PLACE);
    assert_int_equal(json5_set(span_from(config), index, 1, SPAN_LIT("\x01"), &out), JSON5_EDIT_E_NO_PLACE);
    text_buf_deinit(&out);
}

static void tells_lines_and_comments(void **state)
{
    unsigned column = 0;
    struct json5_item item;
    const struct json5_step list[] = { KEY("agents"), KEY("list") };

    (void)state;
    assert_int_equal(json5_find(span_from(config), list, 2, &item), 2);
    assert_int_equal(json5_line_of(span_from(config), item.key_at, &column), 9);
    assert_int_equal(column, 12);
    assert_true(json5_has_comment(span_from(config)));
    assert_false(json5_has_comment(SPAN_LIT("{a: 'http://x', \"b\": '/*'}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_a_value_and_nothing_else),
        cmocka_unit_test(adds_a_member_the_way_its_neighbours_are_written),
        cmocka_unit_test(makes_the_objects_that_lead_to_a_value),
        cmocka_unit_test(removes_a_member_with_its_comma),
        cmocka_unit_test(knows_keys_however_they_are_spelled),
        cmocka_unit_test(refuses_a_path_that_leads_nowhere),
        cmocka_unit_test(tells_lines_and_comments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
