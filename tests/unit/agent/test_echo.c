#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/agent/echo.h"
#include "bus/base/cleanup.h"

struct seen {
    struct text_buf text;
    unsigned pieces_n;
    bool is_over;
    struct provider_usage usage;
    struct provider_turn *turn;
    unsigned cancel_after; /* pieces; 0: never */
    unsigned pause_after;
};

static void on_text(void *arg, struct span text)
{
    struct seen *seen = arg;

    assert_int_equal(text_buf_add(&seen->text, text), 0);
    seen->pieces_n++;
    if (seen->pieces_n == seen->cancel_after) {
        provider_turn_cancel(&seen->turn);
    } else if (seen->pieces_n == seen->pause_after) {
        provider_turn_pause(seen->turn, true);
    }
}

static void on_end(void *arg, const struct provider_end *end)
{
    struct seen *seen = arg;

    assert_int_equal(end->outcome, PROVIDER_OK);
    assert_string_equal(end->finish_reason, "stop");
    seen->is_over = true;
    seen->usage = end->usage;
}

static const struct provider_events events = { .on_text = on_text, .on_end = on_end };

static void run(uv_loop_t *loop, struct seen *seen, const char *json)
{
    static const struct json_opts opts = { 0 };
    CLEANUP(pack_deinit) struct pack pack;
    struct json_error error;
    struct provider_request request = { .model = "echo" };

    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(span_from(json), &opts, &pack, &error), 0);
    request.messages = pack_span(&pack);
    assert_int_equal(echo_turn_start(loop, &request, &events, seen, &seen->turn), 0);
}

static void it_echoes_the_last_user_message_word_by_word(void **state)
{
    uv_loop_t loop;
    struct seen seen = { 0 };

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    run(&loop, &seen,
        "[{\"role\":\"user\",\"content\":\"old one\"},{\"role\":\"assistant\",\"content\":\"x\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"one  two\"}]}]");
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_true(seen.is_over);
    assert_int_equal(seen.pieces_n, 3);
    assert_true(span_is_text((struct span){ seen.text.data, seen.text.len }, "Echo: one  two"));
    assert_int_equal(seen.usage.input, 5);
    assert_int_equal(seen.usage.output, 3);
    text_buf_deinit(&seen.text);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void cancelled_it_says_no_more(void **state)
{
    uv_loop_t loop;
    struct seen seen = { .cancel_after = 2 };

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    run(&loop, &seen, "[{\"role\":\"user\",\"content\":\"a b c d e\"}]");
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_false(seen.is_over);
    assert_int_equal(seen.pieces_n, 2);
    text_buf_deinit(&seen.text);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void paused_it_waits(void **state)
{
    uv_loop_t loop;
    struct seen seen = { .pause_after = 1 };

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    run(&loop, &seen, "[{\"role\":\"user\",\"content\":\"a b\"}]");
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(seen.pieces_n, 1);
    provider_turn_pause(seen.turn, false);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_true(seen.is_over);
    assert_int_equal(seen.pieces_n, 3);
    text_buf_deinit(&seen.text);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void words_are_counted(void **state)
{
    (void)state;
    assert_int_equal(echo_words_count(SPAN_LIT("")), 0);
    assert_int_equal(echo_words_count(SPAN_LIT("  ")), 0);
    assert_int_equal(echo_words_count(SPAN_LIT("a")), 1);
    assert_int_equal(echo_words_count(SPAN_LIT(" a\tb\nc ")), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_echoes_the_last_user_message_word_by_word),
        cmocka_unit_test(cancelled_it_says_no_more),
        cmocka_unit_test(paused_it_waits),
        cmocka_unit_test(words_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
