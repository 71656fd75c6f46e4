#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "actors/agent/beat_text.h"
#include "bus/base/cleanup.h"

static void judged(const char *answer, size_t ack_max, enum beat_word word, const char *left)
{
    struct text_buf out = { 0 };
    enum beat_word got = BEAT_EMPTY;

    assert_int_equal(beat_judge(span_from(answer), ack_max, &out, &got), 0);
    if (got != word) {
        fail_msg("\"%s\" is %d, not %d", answer, (int)got, (int)word);
    }
    if (left) {
        assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
        assert_string_equal(out.data, left);
    }
    text_buf_deinit(&out);
}

static void the_token_at_an_edge_means_that_all_is_well(void **state)
{
    static const char *const well[] = { "HEARTBEAT_OK",
                                        "  HEARTBEAT_OK\n",
                                        "HEARTBEAT_OK.",
                                        "HEARTBEAT_OK!!!",
                                        "**HEARTBEAT_OK**",
                                        "`HEARTBEAT_OK`",
                                        "<b>HEARTBEAT_OK</b>",
                                        "<p>&nbsp;HEARTBEAT_OK</p>",
                                        "HEARTBEAT_OK HEARTBEAT_OK",
                                        "HEARTBEAT_OK nothing new",
                                        "Nothing new. HEARTBEAT_OK",
                                        "All quiet.\n\nHEARTBEAT_OK ✓" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(well); i++) {
        judged(well[i], 300, BEAT_OK, NULL);
    }
    judged("", 300, BEAT_EMPTY, "");
    judged(" \n\t", 300, BEAT_EMPTY, "");
}

static void what_is_long_or_has_the_token_in_the_middle_is_told(void **state)
{
    (void)state;
    judged("The door is open", 300, BEAT_ALERT, "The door is open");
    judged("Say HEARTBEAT_OK when you have seen this", 300, BEAT_ALERT, "Say HEARTBEAT_OK when you have seen this");
    judged("HEARTBEAT_OK\nThe door is open", 3, BEAT_ALERT, "The door is open");
    judged("The door is open.\nHEARTBEAT_OK.", 3, BEAT_ALERT, "The door is open.");
    judged("The door is open HEARTBEAT_OK!", 3, BEAT_ALERT, "The door is open!");
    judged("HEARTBEAT_OK abc", 3, BEAT_OK, NULL);
    judged("HEARTBEAT_OK abcd", 3, BEAT_ALERT, "abcd");
    judged("HEARTBEAT_OK", 0, BEAT_OK, NULL);
    judged("The door is open HEARTBEAT_OK ?????", 3, BEAT_ALERT, "The door is open HEARTBEAT_OK ?????");
    judged("HEARTBEAT_OKAY then", 300, BEAT_OK, NULL); /* as it always was: the token needs no end */
}

static void characters_are_counted_not_bytes(void **state)
{
    (void)state;
    judged("HEARTBEAT_OK äöü", 3, BEAT_OK, NULL);
    judged("HEARTBEAT_OK \xf0\x9f\x94\xa5\xf0\x9f\x94\xa5", 4, BEAT_OK, NULL);
    judged("HEARTBEAT_OK \xf0\x9f\x94\xa5\xf0\x9f\x94\xa5", 3, BEAT_ALERT, NULL);
}

static void a_file_without_anything_to_do_is_empty(void **state)
{
    static const char *const empty[] = {
        "",    "\n\n", "# Heartbeat\n", "#\n##  \n### x\n", "- \n* [ ]\n+ [x]\n", "```\n```", "```md\n\n```\n# a\n-",
        "- []"
    };
    static const char *const full[] = { "check the mail", "# a\n- b", "#hash", "- [y]", "```md x", "1. one", "tasks:" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        assert_true(beat_file_is_empty(span_from(empty[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(full); i++) {
        assert_false(beat_file_is_empty(span_from(full[i])));
    }
}

static void tasks_are_read_and_the_rest_is_kept(void **state)
{
    static const char text[] = "# Mine\n"
                               "tasks:\n\n"
                               "- name: mail\n"
                               "  interval: 30m\n"
                               "  prompt: \"Look at the mail.\"\n"
                               "- name: 'calendar'\n"
                               "  prompt: What is on?\n"
                               "  interval: 2h\n"
                               "- name: half\n"
                               "  interval: 1h\n"
                               "- name: wrong\n"
                               "  interval: soon\n"
                               "  prompt: never\n"
                               "\n"
                               "# More\n\n"
                               "- Be brief.\n";
    struct beat_task tasks[BEAT_TASKS_MAX];
    struct text_buf rest = { 0 };

    (void)state;
    assert_int_equal(beat_tasks_read(span_from(text), tasks), 2);
    assert_true(span_is_text(tasks[0].name, "mail"));
    assert_true(span_is_text(tasks[0].prompt, "Look at the mail."));
    assert_int_equal(tasks[0].every_ms, 1800000);
    assert_true(span_is_text(tasks[1].name, "calendar"));
    assert_int_equal(tasks[1].every_ms, 7200000);
    assert_int_equal(beat_rest_add(span_from(text), &rest), 0);
    assert_int_equal(text_buf_add(&rest, (struct span){ "", 1 }), 0);
    assert_string_equal(rest.data, "# Mine\n# More\n\n- Be brief.\n");
    text_buf_deinit(&rest);
}

static void there_are_never_more_tasks_than_fit(void **state)
{
    struct beat_task tasks[BEAT_TASKS_MAX];
    struct text_buf text = { 0 };

    (void)state;
    assert_int_equal(text_buf_add(&text, SPAN_LIT("tasks:\n")), 0);
    for (int i = 0; i < BEAT_TASKS_MAX + 9; i++) {
        assert_int_equal(text_buf_add(&text, SPAN_LIT("- name: n\n  interval: 1m\n  prompt: p\n")), 0);
    }
    assert_int_equal(beat_tasks_read((struct span){ text.data, text.len }, tasks), BEAT_TASKS_MAX);
    text_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_at_an_edge_means_that_all_is_well),
        cmocka_unit_test(what_is_long_or_has_the_token_in_the_middle_is_told),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(a_file_without_anything_to_do_is_empty),
        cmocka_unit_test(tasks_are_read_and_the_rest_is_kept),
        cmocka_unit_test(there_are_never_more_tasks_than_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
