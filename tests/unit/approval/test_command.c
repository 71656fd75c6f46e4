#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "actors/approval/command.h"

static struct span parse(struct pack *pack, const char *json)
{
    struct json_opts opts = { .depth_max = 0 };

    pack_init(pack, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, pack, NULL), 0);
    return pack_span(pack);
}

static void shown_is(const char *text, bool keeps_lines, const char *expected)
{
    struct text_buf out = { 0 };

    assert_int_equal(command_show(span_from(text), keeps_lines, &out), 0);
    assert_int_equal(text_buf_add(&out, SPAN_LIT("\0")), 0);
    assert_string_equal(out.data, expected);
    text_buf_deinit(&out);
}

static void analysed_is(const char *text, const char *expected)
{
    struct pack out;
    struct text_buf json = { 0 };

    pack_init(&out, 0);
    command_analyse(span_from(text), &out);
    assert_int_equal(json_from_value(pack_span(&out), &json), 0);
    assert_int_equal(text_buf_add(&json, SPAN_LIT("\0")), 0);
    assert_string_equal(json.data, expected);
    text_buf_deinit(&json);
    pack_deinit(&out);
}

static void shows_what_nobody_could_see(void **state)
{
    (void)state;
    shown_is("ls \xe2\x80\xae/x", false, "ls \\u{202E}/x");
    shown_is("a\tb\x1b[2K\n", false, "a\\u{9}b\\u{1B}[2K\\u{A}");
    shown_is("zero\xe2\x80\x8bwidth \xc2\xa0", false, "zero\\u{200B}width \\u{A0}");
    shown_is("gr\xc3\xbc\xc3\x9f", false, "gr\xc3\xbc\xc3\x9f");
    shown_is("broken \xff", false, "broken \\u{FFFD}");
    shown_is("one\ntwo\x07", true, "one\ntwo\\u{7}");
}

static void knows_a_command_by_its_line(void **state)
{
    struct pack pack;
    struct span argv = parse(&pack, "[\"git\",\"commit\",\"-m\",\"two words\",\"\"]");

    (void)state;
    assert_true(command_is_line(argv, SPAN_LIT(" git commit -m \"two words\" \"\" ")));
    assert_false(command_is_line(argv, SPAN_LIT("git commit -m two words \"\"")));
    pack_deinit(&pack);
    argv = parse(&pack, "[\"/bin/sh\",\"-c\",\"ls | wc\"]");
    assert_true(command_is_line(argv, SPAN_LIT("ls | wc")));
    assert_false(command_is_line(argv, SPAN_LIT("ls")));
    pack_deinit(&pack);
}

static void tells_environments_apart_whatever_their_order(void **state)
{
    char one[COMMAND_HASH_LEN];
    char other[COMMAND_HASH_LEN];
    struct pack pack;

    (void)state;
    assert_int_equal(command_env_hash(parse(&pack, "{\"A\":\"1\",\"B\":\"2\"}"), one), 0);
    pack_deinit(&pack);
    assert_int_equal(command_env_hash(parse(&pack, "{\"B\":\"2\",\"A\":\"1\"}"), other), 0);
    pack_deinit(&pack);
    assert_string_equal(one, other);
    assert_int_equal(command_env_hash(parse(&pack, "{\"A\":\"12\",\"B\":\"\"}"), other), 0);
    pack_deinit(&pack);
    assert_string_not_equal(one, other);
    assert_int_equal(command_env_hash(parse(&pack, "{}"), other), 0);
    pack_deinit(&pack);
    assert_string_equal(other, "");
}

/* {"V0000":"x", …}, and behind them what `last` says. */
static void many_hash(size_t n, const char *last, char hash[COMMAND_HASH_LEN])
{
    struct text_buf json = { 0 };
    struct pack pack;
    char item[32];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(item, sizeof(item), "%c\"V%04zu\":\"x\"", i ? ',' : '{', i);
        assert_int_equal(text_buf_add(&json, span_from(item)), 0);
    }
    assert_int_equal(text_buf_add(&json, span_from(last)), 0);
    assert_int_equal(text_buf_add(&json, SPAN_LIT("}\0")), 0);
    assert_int_equal(command_env_hash(parse(&pack, json.data), hash), 0);
    pack_deinit(&pack);
    text_buf_deinit(&json);
}

static void no_variable_is_overlooked(void **state)
{
    char long_key[700] = ",\"";
    char one[COMMAND_HASH_LEN];
    char other[COMMAND_HASH_LEN];
    struct pack pack;

    (void)state;
    many_hash(1024, "", one);
    many_hash(1024, ",\"LD_PRELOAD\":\"/tmp/x.so\"", other);
    assert_string_not_equal(one, other);
    memset(long_key + 2, 'K', 600);
    memcpy(long_key + 602, "\":\"\"", 5);
    many_hash(1, "", one);
    many_hash(1, long_key, other);
    assert_string_not_equal(one, other);
    assert_int_equal(command_env_hash(parse(&pack, "{\"A\":\"\"}"), one), 0);
    pack_deinit(&pack);
    assert_int_equal(command_env_hash(parse(&pack, "{\"A\":[\"/tmp/x.so\"]}"), other), 0);
    pack_deinit(&pack);
    assert_string_not_equal(one, other);
}

static void counts_the_commands_of_a_line(void **state)
{
    (void)state;
    analysed_is("ls -l | grep 'a; b' && echo \"x | y\"; true",
                "{\"commandCount\":4,\"nestedCommandCount\":0,\"riskKinds\":[],\"warningLines\":[]}");
    analysed_is("/usr/bin/python3 -c 'print(1)' | xargs rm",
                "{\"commandCount\":2,\"nestedCommandCount\":0,\"riskKinds\":[\"inline-eval\",\"command-carrier\"],"
                "\"warningLines\":[\"Contains inline-eval: python3 -c\",\"Contains command-carrier: xargs\"]}");
    analysed_is("find . -exec rm {} +",
                "{\"commandCount\":1,\"nestedCommandCount\":0,\"riskKinds\":[\"command-carrier\"],"
                "\"warningLines\":[\"Contains command-carrier: find -exec\"]}");
}

static void does_not_guess_what_only_a_shell_knows(void **state)
{
    (void)state;
    analysed_is("echo $(rm -rf /)", "null");
    analysed_is("echo `date`", "null");
    analysed_is("echo \"$(date)\"", "null");
    analysed_is("cat < /etc/passwd", "null");
    analysed_is("echo 'open", "null");
    analysed_is("echo '$(not run)'",
                "{\"commandCount\":1,\"nestedCommandCount\":0,\"riskKinds\":[],\"warningLines\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_what_nobody_could_see),
        cmocka_unit_test(knows_a_command_by_its_line),
        cmocka_unit_test(tells_environments_apart_whatever_their_order),
        cmocka_unit_test(no_variable_is_overlooked),
        cmocka_unit_test(counts_the_commands_of_a_line),
        cmocka_unit_test(does_not_guess_what_only_a_shell_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
