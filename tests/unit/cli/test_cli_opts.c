#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "bus/base/cleanup.h"
#include "edge/cli/cli_opts.h"

#define PARSE(line, ...) parse((const char *[]){ "openclaw", __VA_ARGS__, NULL }, (line))

static int run_nothing(struct cli *cli)
{
    (void)cli;
    return 0;
}

static const char *const colours[] = { "red", "green", NULL };

static const struct cli_opt root_options[] = {
    { .name = "profile", .kind = CLI_OPT_TEXT, .value = "name", .summary = "" },
    { .name = "dev", .kind = CLI_OPT_FLAG, .summary = "" },
    { 0 },
};
static const struct cli_opt run_options[] = {
    { .name = "port", .letter = 'p', .kind = CLI_OPT_NUMBER, .value = "port", .min = 1, .max = 65535, .summary = "" },
    { .name = "colour", .kind = CLI_OPT_CHOICE, .value = "c", .choices = colours, .summary = "" },
    { .name = "verbose", .kind = CLI_OPT_FLAG, .summary = "" },
    { 0 },
};
static const struct cli_opt say_options[] = {
    { .name = "message", .letter = 'm', .kind = CLI_OPT_TEXT, .required = true, .value = "text", .summary = "" },
    { .name = "timeout", .kind = CLI_OPT_NUMBER, .value = "s", .preset = "600", .max = 1000, .summary = "" },
    { .name = "json", .kind = CLI_OPT_FLAG, .summary = "" },
    { 0 },
};
static const struct cli_opt *const root_tables[] = { root_options, NULL };
static const struct cli_opt *const run_tables[] = { run_options, NULL };
static const struct cli_opt *const say_tables[] = { say_options, NULL };
static const struct cli_command gateway_commands[] = {
    { .name = "run", .summary = "", .options = run_tables, .run = run_nothing },
    { .name = "call", .summary = "", .args = "<method>", .args_min = 1, .args_max = 1, .run = run_nothing },
    { 0 },
};
static const struct cli_command root_commands[] = {
    { .name = "gateway", .summary = "", .commands = gateway_commands, .preset = "run" },
    { .name = "say", .summary = "", .options = say_tables, .run = run_nothing },
    { 0 },
};
static const struct cli_command root = {
    .name = "openclaw", .summary = "", .options = root_tables, .commands = root_commands
};

static int parse(const char **words, struct cli_line *line)
{
    int argc = 0;

    while (words[argc]) {
        argc++;
    }
    /* The parser promises not to write to the words. */
    return cli_opts_parse(&root, argc, (char *const *)(uintptr_t)words, line);
}

static const char *command_of(const struct cli_line *line)
{
    return line->chain[line->chain_n - 1]->name;
}

static void options_stand_before_between_and_after_the_command(void **state)
{
    struct cli_line line;

    (void)state;
    assert_int_equal(PARSE(&line, "--dev", "gateway", "--port", "1", "run", "--verbose"), 0);
    assert_string_equal(command_of(&line), "run");
    assert_non_null(cli_opts_value(&line, "dev"));
    assert_non_null(cli_opts_value(&line, "verbose"));
    assert_int_equal(cli_opts_value(&line, "port")->number, 1);
}

static void a_group_runs_its_preset_command(void **state)
{
    struct cli_line line;

    (void)state;
    assert_int_equal(PARSE(&line, "gateway", "-p", "19001"), 0);
    assert_string_equal(command_of(&line), "run");
    assert_false(line.named_last);
    assert_int_equal(cli_opts_value(&line, "port")->number, 19001);
}

static void values_are_attached_in_each_form(void **state)
{
    static const char *const forms[][4] = {
        { "say", "--message", "hi", NULL },
        { "say", "--message=hi", NULL, NULL },
        { "say", "-m", "hi", NULL },
        { "say", "-mhi", NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const char *words[6] = { "openclaw", forms[i][0], forms[i][1], forms[i][2], NULL, NULL };
        struct cli_line line;

        assert_int_equal(parse(words, &line), 0);
        assert_string_equal(cli_opts_value(&line, "message")->text, "hi");
    }
}

static void a_value_may_look_like_a_command(void **state)
{
    struct cli_line line;

    (void)state;
    assert_int_equal(PARSE(&line, "--profile", "say", "say", "-m", "gateway"), 0);
    assert_string_equal(command_of(&line), "say");
    assert_string_equal(cli_opts_value(&line, "profile")->text, "say");
    assert_string_equal(cli_opts_value(&line, "message")->text, "gateway");
}

static void the_last_of_two_values_counts(void **state)
{
    struct cli_line line;

    (void)state;
    assert_int_equal(PARSE(&line, "gateway", "--port", "1", "--port", "2"), 0);
    assert_int_equal(cli_opts_value(&line, "port")->number, 2);
    assert_int_equal(line.values_n, 1);
}

static void two_dashes_end_the_options(void **state)
{
    struct cli_line line;

    (void)state;
    assert_int_equal(PARSE(&line, "gateway", "call", "--", "--odd"), 0);
    assert_int_equal(line.args_n, 1);
    assert_string_equal(line.args[0], "--odd");
}

static void refuses(const char *contains, const char **words)
{
    struct cli_line line;

    assert_int_equal(parse(words, &line), CLI_OPTS_E_USAGE);
    if (!strstr(line.error, contains)) {
        fail_msg("'%s' does not say '%s'", line.error, contains);
    }
}

static void names_the_nearest_command_and_option(void **state)
{
    (void)state;
    refuses("did you mean 'gateway'", (const char *[]){ "openclaw", "gatway", NULL });
    refuses("did you mean 'gateway call'", (const char *[]){ "openclaw", "gateway", "cal", NULL });
    refuses("did you mean '--port'", (const char *[]){ "openclaw", "gateway", "--prot", "1", NULL });
    refuses("unknown option '-x'", (const char *[]){ "openclaw", "say", "-x", NULL });
}

static void refuses_values_outside_their_limits(void **state)
{
    (void)state;
    refuses("from 1 to 65535", (const char *[]){ "openclaw", "gateway", "--port", "0", NULL });
    refuses("from 1 to 65535", (const char *[]){ "openclaw", "gateway", "--port", "65536", NULL });
    refuses("not '-1'", (const char *[]){ "openclaw", "gateway", "--port", "-1", NULL });
    refuses("not '1x'", (const char *[]){ "openclaw", "gateway", "--port", "1x", NULL });
    refuses("from 1 to", (const char *[]){ "openclaw", "gateway", "--port", "99999999999999999999", NULL });
    refuses("red, green", (const char *[]){ "openclaw", "gateway", "--colour", "blue", NULL });
    refuses("not empty", (const char *[]){ "openclaw", "say", "-m", "", NULL });
    refuses("needs a value", (const char *[]){ "openclaw", "say", "--message", NULL });
    refuses("takes no value", (const char *[]){ "openclaw", "gateway", "--verbose=yes", NULL });
}

static void refuses_what_is_missing_or_too_much(void **state)
{
    (void)state;
    refuses("needs --message", (const char *[]){ "openclaw", "say", NULL });
    refuses("needs <method>", (const char *[]){ "openclaw", "gateway", "call", NULL });
    refuses("does not take 'b'", (const char *[]){ "openclaw", "gateway", "call", "a", "b", NULL });
}

static void shows_the_commands_of_a_group_that_was_named_alone(void **state)
{
    struct cli_line line;

    (void)state;
    assert_int_equal(PARSE(&line, "--dev"), 0);
    assert_true(line.wants_help);
}

static void help_wins_over_everything_that_is_missing(void **state)
{
    struct cli_line line;

    (void)state;
    assert_int_equal(PARSE(&line, "say", "--help"), 0);
    assert_true(line.wants_help);
    assert_int_equal(PARSE(&line, "-h"), 0);
    assert_true(line.wants_help);
    assert_int_equal(PARSE(&line, "--version"), 0);
    assert_true(line.wants_version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_between_and_after_the_command),
        cmocka_unit_test(a_group_runs_its_preset_command),
        cmocka_unit_test(values_are_attached_in_each_form),
        cmocka_unit_test(a_value_may_look_like_a_command),
        cmocka_unit_test(the_last_of_two_values_counts),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(names_the_nearest_command_and_option),
        cmocka_unit_test(refuses_values_outside_their_limits),
        cmocka_unit_test(shows_the_commands_of_a_group_that_was_named_alone),
        cmocka_unit_test(refuses_what_is_missing_or_too_much),
        cmocka_unit_test(help_wins_over_everything_that_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
