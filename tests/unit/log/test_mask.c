#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "actors/log/line.h"
#include "actors/log/mask.h"
#include "actors/log/repeat.h"
#include "bus/base/cleanup.h"

static void assert_masked(const char *text, const char *expected)
{
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };

    assert_int_equal(mask_text(span_from(text), &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(out.data, expected);
}

static void masks_what_follows_the_name_of_a_secret(void **state)
{
    (void)state;
    assert_masked("token=abc user=bob", "token=*** user=bob");
    assert_masked("botToken: 'abcdefghijklmnopqrstuvwxyz' x", "botToken: 'abcdef***wxyz' x");
    assert_masked("{\"apiKey\":\"k1\",\"port\":5}", "{\"apiKey\":\"***\",\"port\":5}");
    assert_masked("{\\\"password\\\":\\\"k1\\\"}", "{\\\"password\\\":\\\"***\\\"}");
    assert_masked("Authorization: Bearer abc.def", "Authorization: Bearer ***");
    assert_masked("authorization=\"Basic dXNlcjpwYXNz\"", "authorization=\"Basic ***\"");
    assert_masked("a=1 client_secret=zzz,b=2", "a=1 client_secret=***,b=2");
    assert_masked("password: hunter two", "password: *** two");
    assert_masked("password: the", "password: ***");
    assert_masked("password=the one", "password=*** one");
    assert_masked("apiKey: 'the one'", "apiKey: '*** one'");
    assert_masked("token: nullify", "token: ***");
    assert_masked("password=p\xc3\xa4ssw\xc3\xb6rter-sind-lang x", "password=*** x");
}

static void masks_keys_by_their_look(void **state)
{
    (void)state;
    assert_masked("got sk-abcdefghijklmnopqrstuvwx back", "got sk-abc***uvwx back");
    assert_masked("ghp_0123456789abcdef0123456789abcdef0123", "ghp_01***0123");
    assert_masked("key eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.abc", "key eyJhbG***.abc");
    assert_masked("https://bob:hunter2@host/x", "https://bob:***@host/x");
    assert_masked("x -----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY----- y",
                  "x -----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY----- y");
    assert_masked("cut -----BEGIN EC PRIVATE KEY-----\nMC4CAQ", "cut -----BEGIN PRIVATE KEY-----***");
}

static void leaves_other_text_alone(void **state)
{
    static const char *const plain[] = {
        "",
        "peer=edge/0 rtt_ms=5",
        "maxTokens=4096 tokens_n=3 token expired",
        "https://host:8080/path?x=1",
        "skill sk-1 done",
        "path=/a/b/c.json reason=\"no such file\"",
        "three.apiKey: the file is not there",
        "models.providers.a.apiKey: secrets.providers.vault: the file is larger than 5 bytes",
        "gateway.auth.token: environment variable GATEWAY is not set or empty",
        "gateway.auth.password: it is no regular file",
        "hasToken=true token=null {\"password\":null}",
        "a://b",
        "://",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        assert_masked(plain[i], plain[i]);
    }
}

static void formats_a_line_that_readers_understand(void **state)
{
    struct line line = {
        .ts_ms = 1795362742111,
        .level = SPAN_LIT("warning"),
        .event = SPAN_LIT("link_lost"),
        .text = SPAN_LIT("peer=\"x\ny\" token=abc"),
        .actor = SPAN_LIT("edge/0"),
        .host = SPAN_LIT("main"),
        .pid = 7,
    };
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(line_format(&line, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(
        out.data, "{\"time\":\"2026-11-22T15:52:22.111+00:00\",\"level\":\"warning\",\"actor\":\"edge/0\",\"host\":"
                  "\"main\",\"pid\":7,\"event\":\"link_lost\",\"message\":\"link_lost peer=\\\"x\\ny\\\" token=***\","
                  "\"0\":\"link_lost peer=\\\"x\\ny\\\" token=***\",\"_meta\":{\"logLevelName\":\"WARN\",\"name\":"
                  "\"{\\\"subsystem\\\":\\\"edge/0\\\"}\"}}\n");
}

static void survives_any_time(void **state)
{
    char text[LINE_TIME_LEN];

    (void)state;
    line_time(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000+00:00");
    line_time(-5, text);
    line_time(INT64_MAX, text);
    line_time(INT64_MIN, text);
}

static void counts_a_line_that_comes_again(void **state)
{
    struct repeat repeat = { 0 };
    struct line a = { .level = SPAN_LIT("info"), .event = SPAN_LIT("e"), .text = SPAN_LIT("x=1") };
    struct line b = { .level = SPAN_LIT("info"), .event = SPAN_LIT("e"), .text = SPAN_LIT("x=2") };

    (void)state;
    assert_false(repeat_is_same(&repeat, &a));
    assert_true(repeat_is_same(&repeat, &a));
    assert_true(repeat_is_same(&repeat, &a));
    assert_int_equal(repeat_take(&repeat), 2);
    assert_int_equal(repeat_take(&repeat), 0);
    assert_false(repeat_is_same(&repeat, &b));
    assert_false(repeat_is_same(&repeat, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_what_follows_the_name_of_a_secret),
        cmocka_unit_test(masks_keys_by_their_look),
        cmocka_unit_test(leaves_other_text_alone),
        cmocka_unit_test(formats_a_line_that_readers_understand),
        cmocka_unit_test(survives_any_time),
        cmocka_unit_test(counts_a_line_that_comes_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
