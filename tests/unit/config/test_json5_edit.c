#include "tests/unit/config/support.h"

#include <stdio.h>

#include "bus/value.h"
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

/* One after the other, as whoever changes single values does it. */
static void change_singly(const char *text, const struct json5_change *changes, size_t n, struct text_buf *ret_text)
{
    assert_int_equal(text_buf_add(ret_text, span_from(text)), 0);
    for (size_t i = 0; i < n; i++) {
        struct span now = { ret_text->data, ret_text->len };
        const struct json5_change *one = &changes[i];
        struct text_buf next = { 0 };

        assert_int_equal(one->value.len ? json5_set(now, one->steps, one->steps_n, one->value, &next)
                                        : json5_remove(now, one->steps, one->steps_n, &next),
                         0);
        text_buf_deinit(ret_text);
        *ret_text = next;
    }
}

static void makes_many_changes_as_if_one_after_the_other(void **state)
{
    static const char text[] = "// mine\n"
                               "{\n"
                               "  first: 0,\n"
                               "  a: 1, b: 2, /* of b */ c: 3, d: {x: 1, y: 2}, // line\n"
                               "  'e': {},\n"
                               "  f: [1, {g: 1}, 3],\n"
                               "\n"
                               "  gone: 1, gone: 2,\n"
                               "  h: 5 // last\n"
                               "}\n";
    const struct json5_step a[] = { KEY("a") };
    const struct json5_step b[] = { KEY("b") };
    const struct json5_step x[] = { KEY("d"), KEY("x") };
    const struct json5_step z[] = { KEY("d"), KEY("z") };
    const struct json5_step one[] = { KEY("e"), KEY("one") };
    const struct json5_step two[] = { KEY("e"), KEY("t-w-o") };
    const struct json5_step g[] = { KEY("f"), INDEX(1), KEY("g") };
    const struct json5_step fourth[] = { KEY("f"), INDEX(3) };
    const struct json5_step gone[] = { KEY("gone") };
    const struct json5_step absent[] = { KEY("absent"), KEY("more") };
    const struct json5_step last[] = { KEY("h") };
    const struct json5_step deep[] = { KEY("new"), KEY("in"), KEY("it") };
    const struct json5_step beside[] = { KEY("new"), KEY("in"), KEY("that") };
    const struct json5_step end[] = { KEY("end") };
    const struct json5_change changes[] = {
        { a, 1, { 0 } },
        { b, 1, { 0 } },
        { x, 2, { 0 } },
        { z, 2, SPAN_LIT("\x92\x01\x02") },
        { two, 2, SPAN_LIT("\x01") },
        { one, 2, SPAN_LIT("\x02") },
        { g, 3, SPAN_LIT("\x81\xa1k\x01") },
        { fourth, 2, SPAN_LIT("\x04") },
        { gone, 1, { 0 } },
        { absent, 2, { 0 } },
        { last, 1, { 0 } },
        { deep, 3, SPAN_LIT("\x05") },
        { beside, 3, SPAN_LIT("\x06") },
        { end, 1, SPAN_LIT("\x07") },
    };

    (void)state;
    for (size_t n = 1; n <= ARRAY_LEN(changes); n++) {
        CLEANUP(text_buf_deinit) struct text_buf singly = { 0 };
        CLEANUP(text_buf_deinit) struct text_buf at_once = { 0 };

        change_singly(text, changes, n, &singly);
        assert_int_equal(json5_change(span_from(text), changes, n, &at_once, NULL), 0);
        assert_int_equal(text_buf_add(&singly, (struct span){ "", 1 }), 0);
        assert_int_equal(text_buf_add(&at_once, (struct span){ "", 1 }), 0);
        assert_string_equal(at_once.data, singly.data);
    }
}

static void tells_which_of_many_changes_has_no_place(void **state)
{
    const struct json5_step good[] = { KEY("gateway"), KEY("a") };
    const struct json5_step bad[] = { KEY("gateway"), KEY("port"), KEY("x") };
    const struct json5_change changes[] = { { good, 2, SPAN_LIT("\x01") }, { bad, 3, SPAN_LIT("\x01") } };
    struct text_buf out = { 0 };
    size_t stuck = 0;

    (void)state;
    assert_int_equal(json5_change(span_from(config), changes, 2, &out, &stuck), JSON5_EDIT_E_NO_PLACE);
    assert_int_equal(stuck, 1);
    text_buf_deinit(&out);
}

#define MANY 20000U

/* Walking the text for each of them would take hours. */
static void makes_thousands_of_changes_in_one_go(void **state)
{
    static char names[MANY][16];
    static struct json5_step steps[MANY][3];
    static struct json5_change changes[MANY];
    CLEANUP(text_buf_deinit) struct text_buf grown = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf changed_all = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf shrunk = { 0 };
    struct pack doc;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "v%zu", i);
        steps[i][0] = (struct json5_step)KEY("env");
        steps[i][1] = (struct json5_step){ .key = span_from(names[i]) };
        steps[i][2] = (struct json5_step)KEY("x");
        changes[i] = (struct json5_change){ steps[i], 3, SPAN_LIT("\x01") };
    }
    assert_int_equal(json5_change(SPAN_LIT("{ env: {} } // mine\n"), changes, MANY, &grown, NULL), 0);
    for (size_t i = 0; i < MANY; i++) {
        changes[i].value = SPAN_LIT("\x02");
    }
    assert_int_equal(json5_change((struct span){ grown.data, grown.len }, changes, MANY, &changed_all, NULL), 0);
    pack_init(&doc, 0);
    assert_int_equal(text_buf_add(&changed_all, (struct span){ "", 1 }), 0);
    json_pack(changed_all.data, &doc);
    struct span env = value_get(pack_span(&doc), "env");
    assert_int_equal(value_count(env), MANY);
    assert_int_equal(value_i64(value_get(value_get(env, names[MANY - 1]), "x"), 0), 2);
    for (size_t i = 0; i < MANY; i++) {
        changes[i] = (struct json5_change){ steps[i], 2, { 0 } };
    }
    assert_int_equal(json5_change(span_from(changed_all.data), changes, MANY, &shrunk, NULL), 0);
    assert_int_equal(text_buf_add(&shrunk, (struct span){ "", 1 }), 0);
    assert_string_equal(shrunk.data, "{ env: {\n} } // mine\n");
    pack_deinit(&doc);
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
        cmocka_unit_test(makes_many_changes_as_if_one_after_the_other),
        cmocka_unit_test(tells_which_of_many_changes_has_no_place),
        cmocka_unit_test(makes_thousands_of_changes_in_one_go),
        cmocka_unit_test(tells_lines_and_comments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
