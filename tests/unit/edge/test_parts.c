/* The smaller pure parts: response heads, frames, scopes, readiness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bus/pack.h"
#include "edge/http/response.h"
#include "edge/listener/frame.h"
#include "edge/listener/memo.h"
#include "edge/listener/ready.h"
#include "edge/listener/scope.h"
#include "edge/listener/write_rate.h"
#include "schema_gen.h"

static const char *text_of(struct text_buf *out)
{
    assert_int_equal(text_buf_add(out, (struct span){ "", 1 }), 0);
    return out->data;
}

/* --- response ------------------------------------------------------------------------ */

static void writes_a_whole_response(void **state)
{
    struct response response = { .status = 405,
                                 .type = RESPONSE_TEXT,
                                 .body = SPAN_LIT("no"),
                                 .allow = "GET",
                                 .retry_after_s = 3,
                                 .is_closing = true,
                                 .date = SPAN_LIT("today") };
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(response_write(&response, &out), 0);
    assert_string_equal(text_of(&out), "HTTP/1.1 405 Method Not Allowed\r\nX-Content-Type-Options: nosniff\r\n"
                                       "Referrer-Policy: no-referrer\r\n"
                                       "Permissions-Policy: camera=(), microphone=(self), geolocation=()\r\n"
                                       "Date: today\r\nContent-Type: text/plain; charset=utf-8\r\nAllow: GET\r\n"
                                       "Connection: close\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno");
    text_buf_deinit(&out);
}

static void leaves_out_the_body_of_a_head_request_but_not_its_length(void **state)
{
    struct response response = { .status = 200, .type = RESPONSE_JSON, .body = SPAN_LIT("{}"), .is_head = true };
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(response_write(&response, &out), 0);
    assert_non_null(strstr(text_of(&out), "Content-Length: 2\r\n\r\n"));
    assert_null(strstr(out.data, "{}"));
    text_buf_deinit(&out);
}

static void frames_a_streamed_response(void **state)
{
    struct response response = { .status = 200, .type = RESPONSE_SSE, .is_streamed = true };
    struct text_buf out = { 0 };
    char head[RESPONSE_CHUNK_HEAD];

    (void)state;
    assert_int_equal(response_write(&response, &out), 0);
    assert_non_null(strstr(text_of(&out), "Transfer-Encoding: chunked\r\n\r\n"));
    out.len = 0;
    response.is_http10 = true;
    assert_int_equal(response_write(&response, &out), 0);
    assert_null(strstr(text_of(&out), "Transfer-Encoding"));
    response_chunk_head(head, 0xabc);
    assert_memory_equal(head, "00000abc\r\n", 10);
    text_buf_deinit(&out);
}

static void dates_do_not_follow_the_locale(void **state)
{
    char buf[RESPONSE_DATE_MAX];

    (void)state;
    assert_true(span_is(response_date(1795364333000, buf), SPAN_LIT("Sun, 22 Nov 2026 16:18:53 GMT")));
}

/* --- frame --------------------------------------------------------------------------- */

static void keeps_internal_keys_from_clients(void **state)
{
    struct failure failure = {
        .code = FAIL_RATE_LIMITED, .message = SPAN_LIT("m"), .retryable = true, .retry_after_ms = 5
    };
    struct text_buf out = { 0 };
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "_secret", "s");
    pack_kv_text(&pack, "code", "c");
    pack_map_end(&pack);
    failure.details = pack_span(&pack);
    assert_int_equal(frame_refusal(SPAN_LIT("\"1\""), &failure, 3, &out), 0);
    assert_string_equal(text_of(&out),
                        "{\"type\":\"res\",\"id\":\"1\",\"ok\":false,\"error\":{\"code\":\"UNAVAILABLE\","
                        "\"message\":\"m\",\"details\":{\"code\":\"c\"},\"retryable\":true,"
                        "\"retryAfterMs\":5}}");
    out.len = 0;
    assert_int_equal(frame_event_open(SPAN_LIT("chat"), failure.details, (struct span){ NULL, 0 }, &out), 0);
    assert_string_equal(text_of(&out), "{\"type\":\"event\",\"event\":\"chat\",\"payload\":{\"code\":\"c\"}");
    out.len = 0;
    assert_int_equal(frame_answer_open(SPAN_LIT("\"1\""), &out), 0);
    assert_string_equal(text_of(&out), "{\"type\":\"res\",\"id\":\"1\",\"ok\":true,\"payload\":");
    text_buf_deinit(&out);
    pack_deinit(&pack);
}

static struct span long_text(struct pack *pack, char letter)
{
    char text[600];

    memset(text, letter, sizeof(text));
    pack_reset(pack);
    pack_str(pack, (struct span){ text, sizeof(text) });
    return pack_span(pack);
}

static void remembers_only_the_answer_it_was_given_last(void **state)
{
    static const char order[] = "aabbabA"; /* again, another, back; 'A' differs from 'a' by one bit in every byte */
    struct memo memo = { { 0 }, { 0 } };
    struct text_buf out = { 0 };
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    for (size_t i = 0; i + 1 < sizeof(order); i++) {
        out.len = 0;
        assert_int_equal(memo_json(&memo, long_text(&pack, order[i]), &out), 0);
        assert_int_equal(out.len, 602);
        assert_int_equal(out.data[1], order[i]);
        assert_int_equal(out.data[600], order[i]);
    }
    out.len = 0;
    assert_int_equal(memo_json(&memo, (struct span){ "\x93\x01\xc3\xc0", 4 }, &out), 0);
    assert_string_equal(text_of(&out), "[1,true,null]");
    memo_deinit(&memo);
    text_buf_deinit(&out);
    pack_deinit(&pack);
}

static void says_nothing_about_details_that_are_all_internal(void **state)
{
    struct failure failure = { .code = FAIL_INVALID_REQUEST };
    struct text_buf out = { 0 };
    struct pack pack;

    (void)state;
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_i64(&pack, "_closeCode", 1008);
    pack_map_end(&pack);
    failure.details = pack_span(&pack);
    assert_int_equal(frame_refusal(SPAN_LIT("\"1\""), &failure, 3, &out), 0);
    assert_null(strstr(text_of(&out), "details"));
    assert_non_null(strstr(out.data, "\"message\":\"INVALID_REQUEST\""));
    text_buf_deinit(&out);
    pack_deinit(&pack);
}

/* --- scope --------------------------------------------------------------------------- */

static struct scope_set set_of(const char *role, const char *scope)
{
    struct pack pack;
    struct scope_set set;

    pack_init(&pack, 0);
    pack_array_begin(&pack);
    pack_text(&pack, scope);
    pack_array_end(&pack);
    set = scope_set_of(span_from(role), pack_span(&pack));
    pack_deinit(&pack);
    return set;
}

static void scopes_follow_their_rules(void **state)
{
    static const struct {
        const char *role;
        const char *has;
        const char *wants;
        enum scope_verdict verdict;
    } cases[] = {
        { "operator", "operator.read", "operator.read", SCOPE_ALLOWED },
        { "operator", "operator.read", "operator.write", SCOPE_MISSING },
        { "operator", "operator.write", "operator.read", SCOPE_ALLOWED },
        { "operator", "operator.write", "operator.pairing", SCOPE_MISSING },
        { "operator", "operator.admin", "operator.pairing", SCOPE_ALLOWED },
        { "operator", "operator.admin", "node", SCOPE_WRONG_ROLE },
        { "operator", "made.up", "made.up", SCOPE_MISSING },
        { "node", "operator.admin", "operator.read", SCOPE_WRONG_ROLE },
        { "node", "", "node", SCOPE_ALLOWED },
        { "node", "", NULL, SCOPE_ALLOWED },
        { "guest", "operator.admin", "operator.read", SCOPE_WRONG_ROLE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scope_set set = set_of(cases[i].role, cases[i].has);

        if (scope_check(&set, cases[i].wants) != cases[i].verdict) {
            fail_msg("case %zu", i);
        }
    }
}

static void events_are_seen_by_those_who_may(void **state)
{
    struct schema_event event = { .scope = "operator.read" };
    struct schema_event open = { .scope = NULL };
    struct scope_set reader = set_of("operator", "operator.write");
    struct scope_set none = set_of("operator", "");
    struct scope_set node = set_of("node", "");

    (void)state;
    assert_true(scope_sees(&reader, &event));
    assert_false(scope_sees(&none, &event));
    assert_false(scope_sees(&node, &event));
    event.flags = SCHEMA_EVENT_NODES;
    assert_true(scope_sees(&node, &event));
    assert_true(scope_sees(&none, &open) && scope_sees(&node, &open));
}

/* --- ready --------------------------------------------------------------------------- */

static void is_ready_when_everyone_needed_and_an_agent_are(void **state)
{
    static struct ready ready;
    struct text_buf out = { 0 };

    (void)state;
    ready_need(&ready, "auth");
    assert_false(ready_is(&ready));
    assert_int_equal(ready_write(&ready, 7, true, &out), 0);
    assert_string_equal(text_of(&out), "{\"ready\":false,\"failing\":[\"auth\",\"agent\"],\"uptimeMs\":7}");
    ready_note(&ready, SPAN_LIT("auth"), ACTOR_LIFE_READY);
    assert_false(ready_is(&ready));
    ready_note(&ready, SPAN_LIT("agent/main"), ACTOR_LIFE_READY);
    assert_true(ready_is(&ready));
    ready_note(&ready, SPAN_LIT("agent/far"), ACTOR_LIFE_ABSENT); /* its host has not come */
    ready_note(&ready, SPAN_LIT("agent/far"), ACTOR_LIFE_STOPPED);
    assert_true(ready_is(&ready));
    ready_note(&ready, SPAN_LIT("agent/other"), ACTOR_LIFE_GAVE_UP);
    assert_false(ready_is(&ready));
    ready_note(&ready, SPAN_LIT("agent/other"), ACTOR_LIFE_STOPPED); /* dropped from the configuration */
    assert_true(ready_is(&ready));
    out.len = 0;
    assert_int_equal(ready_write(&ready, 7, false, &out), 0);
    assert_string_equal(text_of(&out), "{\"ready\":true}");
    ready_note(&ready, SPAN_LIT("auth"), ACTOR_LIFE_BACKOFF);
    assert_false(ready_is(&ready));
    assert_int_equal(ready_life(&ready, "auth"), ACTOR_LIFE_BACKOFF);
    assert_int_equal(ready_life(&ready, "nobody"), ACTOR_LIFE_ABSENT);
    text_buf_deinit(&out);
}

/* --- writes to the control plane ----------------------------------------------------------- */

static void three_writes_a_minute_and_no_more(void **state)
{
    struct write_rate rate = { .rows = NULL };

    (void)state;
    for (unsigned i = 0; i < WRITE_RATE_MAX; i++) {
        assert_int_equal(write_rate_take(&rate, "device|ip", WRITE_RATE_MAX, 1000 + i), 0);
    }
    assert_int_equal(write_rate_take(&rate, "device|ip", WRITE_RATE_MAX, 11000), 50000);
    assert_int_equal(write_rate_take(&rate, "device|other", WRITE_RATE_MAX, 11000), 0);
    assert_int_equal(write_rate_take(&rate, "device|ip", WRITE_RATE_MAX, 60999), 1);
    assert_int_equal(write_rate_take(&rate, "device|ip", WRITE_RATE_MAX, 61000), 0);
    write_rate_deinit(&rate);
}

static void writers_beyond_the_table_take_the_place_of_the_oldest(void **state)
{
    struct write_rate rate = { .rows = NULL };
    char key[32];

    (void)state;
    for (unsigned i = 0; i < WRITE_RATE_ROWS; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        assert_int_equal(write_rate_take(&rate, key, WRITE_RATE_MAX, 1000 + i), 0);
    }
    assert_int_equal(write_rate_take(&rate, "new", WRITE_RATE_MAX, 20000), 0);
    assert_int_equal(rate.rows_n, WRITE_RATE_ROWS);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(write_rate_take(&rate, "1", WRITE_RATE_MAX, 20000), 0);
    }
    assert_int_not_equal(write_rate_take(&rate, "1", WRITE_RATE_MAX, 20000), 0); /* that one was kept */
    write_rate_deinit(&rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_writes_a_minute_and_no_more),
        cmocka_unit_test(writers_beyond_the_table_take_the_place_of_the_oldest),
        cmocka_unit_test(writes_a_whole_response),
        cmocka_unit_test(leaves_out_the_body_of_a_head_request_but_not_its_length),
        cmocka_unit_test(frames_a_streamed_response),
        cmocka_unit_test(dates_do_not_follow_the_locale),
        cmocka_unit_test(keeps_internal_keys_from_clients),
        cmocka_unit_test(remembers_only_the_answer_it_was_given_last),
        cmocka_unit_test(says_nothing_about_details_that_are_all_internal),
        cmocka_unit_test(scopes_follow_their_rules),
        cmocka_unit_test(events_are_seen_by_those_who_may),
        cmocka_unit_test(is_ready_when_everyone_needed_and_an_agent_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
