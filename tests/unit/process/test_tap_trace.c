#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "edge/cli/tap_trace.h"

#define ID "00000000000000010000000000000002"

static void add(struct tap_trace *trace, int64_t ts_us, struct envelope env, const char *note)
{
    struct tap_record record = { .ts_us = ts_us, .host = SPAN_LIT("main"), .env = env, .note = span_from(note) };

    record.env.trace = (struct trace_id){ 1, 2 };
    record.address = envelope_sender(&env);
    tap_subject_trace(record.env.trace, record.trace);
    tap_trace_add(trace, &record);
}

static void handle(struct tap_trace *trace, int64_t begin_us, struct envelope env, uint64_t waited_us, uint64_t busy_us)
{
    struct tap_record record = {
        .ts_us = begin_us, .env = env, .is_handled = true, .waited_us = waited_us, .busy_us = busy_us
    };

    record.env.trace = (struct trace_id){ 1, 2 };
    record.address = env.to;
    tap_subject_trace(record.env.trace, record.trace);
    tap_trace_add(trace, &record);
}

static struct envelope message(enum envelope_kind kind, uint64_t id, const char *from, const char *to, uint64_t corr)
{
    return (struct envelope){
        .kind = kind, .id = id, .corr = corr, .from = span_from(from), .to = span_from(to), .name = SPAN_LIT("ask")
    };
}

/* edge asks router, which hands on to agent, which asks health before it answers. */
static void way_make(struct tap_trace *trace)
{
    struct envelope handed = message(ENVELOPE_CALL, 1, "edge/0", "agent/a", 9);

    handed.via = SPAN_LIT("router");
    tap_trace_init(trace, ID);
    add(trace, 1000, message(ENVELOPE_CALL, 5, "edge/0", "router", 9), NULL);
    handle(trace, 1150, message(ENVELOPE_CALL, 5, "edge/0", "router", 9), 50, 100);
    add(trace, 1200, handed, NULL);
    add(trace, 1210, message(ENVELOPE_FORWARDED, 2, "router", "edge/0", 9), NULL);
    handle(trace, 1300, message(ENVELOPE_FORWARDED, 2, "router", "edge/0", 9), 1, 2);
    handle(trace, 1400, handed, 20, 100);
    add(trace, 1450, message(ENVELOPE_CALL, 3, "agent/a", "health", 1), NULL);
    handle(trace, 1500, message(ENVELOPE_CALL, 3, "agent/a", "health", 1), 0, 50);
    add(trace, 1540, message(ENVELOPE_REPLY, 7, "health", "agent/a", 1), NULL);
    handle(trace, 1600, message(ENVELOPE_REPLY, 7, "health", "agent/a", 1), 0, 10);
    add(trace, 1700, message(ENVELOPE_REPLY, 4, "agent/a", "edge/0", 9), NULL);
}

static const struct tap_trace_row *row(const struct tap_trace *trace, unsigned i)
{
    const struct tap_trace_row *at = trace->rows;

    while (i--) {
        at = at->next;
    }
    return at;
}

static void tells_where_the_time_went_and_what_was_within_what(void **state)
{
    CLEANUP(tap_trace_deinit) struct tap_trace trace;
    static const unsigned depths[] = { 0, 1, 1, 2, 3, 2 };

    (void)state;
    way_make(&trace);
    assert_false(tap_trace_is_over(&trace));
    handle(&trace, 1900, message(ENVELOPE_REPLY, 4, "agent/a", "edge/0", 9), 5, 100);
    assert_true(tap_trace_is_over(&trace));
    tap_trace_finish(&trace);
    assert_int_equal(trace.rows_n, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(row(&trace, i)->depth, depths[i]);
        assert_true(row(&trace, i)->is_handled);
    }
    assert_int_equal(row(&trace, 0)->wire_us, 100);
    assert_int_equal(row(&trace, 0)->waited_us, 50);
    assert_int_equal(row(&trace, 0)->busy_us, 100);
    assert_int_equal(row(&trace, 0)->answer_us, 700);
    assert_int_equal(row(&trace, 3)->answer_us, 90);
    assert_int_equal(row(&trace, 5)->answer_us, -1);
    assert_string_equal(row(&trace, 1)->sender, "router");
    assert_string_equal(row(&trace, 1)->from, "edge/0");
    assert_int_equal(tap_trace_span_us(&trace), 1000);
}

static void shows_it_to_people_and_programs(void **state)
{
    CLEANUP(tap_trace_deinit) struct tap_trace trace;
    CLEANUP(text_buf_deinit) struct text_buf wide = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf narrow = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf json = { 0 };

    (void)state;
    way_make(&trace);
    tap_trace_finish(&trace);
    assert_int_equal(tap_trace_text(&trace, 200, &wide), 0);
    assert_int_equal(tap_trace_text(&trace, 60, &narrow), 0);
    assert_int_equal(tap_trace_json(&trace, &json), 0);
    assert_int_equal(text_buf_add(&wide, (struct span){ "", 1 }), 0);
    assert_int_equal(text_buf_add(&narrow, (struct span){ "", 1 }), 0);
    assert_int_equal(text_buf_add(&json, (struct span){ "", 1 }), 0);
    assert_non_null(strstr(wide.data, "6 messages in 0.700 ms"));
    assert_non_null(
        strstr(wide.data, "    0.200     0.180     0.020     0.100    router > agent/a call (handed on) ask"));
    assert_non_null(strstr(wide.data, "~"));
    assert_null(strstr(narrow.data, "|"));
    assert_non_null(strstr(json.data, "\"spanMs\":0.7,\"messages\":[{\"ts\":1,\"atMs\":0,\"kind\":\"call\",\"from\":"
                                      "\"edge/0\",\"to\":\"router\",\"method\":\"ask\",\"depth\":0"));
    assert_non_null(strstr(json.data, "\"via\":\"router\",\"wireMs\":0.18,\"waitMs\":0.02,\"handlerMs\":0.1"));
}

static void knows_what_was_not_delivered(void **state)
{
    CLEANUP(tap_trace_deinit) struct tap_trace trace;

    (void)state;
    tap_trace_init(&trace, ID);
    add(&trace, 1, message(ENVELOPE_CALL, 1, "a", "b", 1), "nobody is there");
    add(&trace, 2, message(ENVELOPE_CAST, 2, "a", "c", 0), NULL);
    assert_false(tap_trace_is_over(&trace));
    add(&trace, 3, message(ENVELOPE_CAST, 2, "a", "c", 0), "its mailbox is closed");
    assert_true(tap_trace_is_over(&trace));
    assert_int_equal(trace.rows_n, 2);
    assert_string_equal(row(&trace, 1)->note, "its mailbox is closed");
}

static void takes_no_other_trace_and_no_more_than_it_can_show(void **state)
{
    CLEANUP(tap_trace_deinit) struct tap_trace trace;
    struct tap_record other = { .env = message(ENVELOPE_CAST, 1, "a", "b", 0), .trace = "x" };

    (void)state;
    tap_trace_init(&trace, ID);
    tap_trace_add(&trace, &other);
    assert_false(tap_trace_is_over(&trace));
    assert_int_equal(trace.rows_n, 0);
    for (uint64_t i = 0; i < TAP_TRACE_ROWS_MAX + 5; i++) {
        add(&trace, (int64_t)i, message(ENVELOPE_CAST, i + 1, "a", "c", 0), NULL);
    }
    assert_int_equal(trace.rows_n, TAP_TRACE_ROWS_MAX);
    assert_int_equal(trace.left_out, 5);
}

static void say(struct tap_trace *trace, int64_t ts_us, struct envelope env, const char *key, const char *value)
{
    struct tap_record record = { .ts_us = ts_us, .host = SPAN_LIT("main"), .env = env };
    CLEANUP(pack_deinit) struct pack essence;
    struct pack body;

    record.env.trace = (struct trace_id){ 1, 2 };
    record.address = envelope_sender(&env);
    tap_subject_trace(record.env.trace, record.trace);
    pack_init(&body, 0);
    pack_init(&essence, 0);
    pack_map_begin(&body);
    pack_kv_text(&body, "runId", "run-1");
    pack_kv_text(&body, "more", "of what does not matter");
    pack_kv_text(&body, key, value);
    pack_map_end(&body);
    record.body = pack_span(&body);
    tap_trace_essence(&record, &essence);
    assert_true(essence.len > 0 && essence.len < body.len);
    record.body = pack_span(&essence);
    tap_trace_add(trace, &record);
    pack_deinit(&body);
}

static struct envelope chat(uint64_t id)
{
    struct envelope env = message(ENVELOPE_PUBLISH, id, "agent/a", "edge/0", 0);

    env.name = SPAN_LIT("chat");
    return env;
}

static void waits_for_the_run_that_an_answer_says_has_begun(void **state)
{
    struct envelope call = message(ENVELOPE_CALL, 5, "edge/0", "agent/a", 9);
    struct envelope reply = message(ENVELOPE_REPLY, 1, "agent/a", "edge/0", 9);
    struct tap_trace trace;

    (void)state;
    tap_trace_init(&trace, ID);
    add(&trace, 1000, call, NULL);
    handle(&trace, 1100, call, 1, 50);
    say(&trace, 1200, reply, "status", "started");
    handle(&trace, 1300, reply, 1, 5);
    assert_false(tap_trace_is_over(&trace));
    say(&trace, 2000, chat(2), "state", "delta");
    handle(&trace, 2100, chat(2), 1, 5);
    assert_false(tap_trace_is_over(&trace));
    say(&trace, 3000, chat(3), "state", "final");
    assert_false(tap_trace_is_over(&trace)); /* not handled yet */
    handle(&trace, 3100, chat(3), 1, 5);
    assert_true(tap_trace_is_over(&trace));
    tap_trace_finish(&trace);
    assert_int_equal(trace.rows->depth, 0);
    assert_int_equal(trace.rows->next->depth, 1);
    assert_int_equal(trace.rows->next->next->depth, 1); /* behind the answer, and led to by the call all the same */
    assert_int_equal(tap_trace_span_us(&trace), 2105);
    tap_trace_deinit(&trace);
}

static void a_run_that_was_there_before_is_not_waited_for(void **state)
{
    struct envelope call = message(ENVELOPE_CALL, 5, "edge/0", "agent/a", 9);
    struct envelope reply = message(ENVELOPE_REPLY, 1, "agent/a", "edge/0", 9);
    struct tap_trace trace;

    (void)state;
    tap_trace_init(&trace, ID);
    add(&trace, 1000, call, NULL);
    handle(&trace, 1100, call, 1, 50);
    say(&trace, 1200, reply, "status", "in_flight");
    handle(&trace, 1300, reply, 1, 5);
    assert_true(tap_trace_is_over(&trace));
    tap_trace_deinit(&trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_where_the_time_went_and_what_was_within_what),
        cmocka_unit_test(shows_it_to_people_and_programs),
        cmocka_unit_test(knows_what_was_not_delivered),
        cmocka_unit_test(waits_for_the_run_that_an_answer_says_has_begun),
        cmocka_unit_test(a_run_that_was_there_before_is_not_waited_for),
        cmocka_unit_test(takes_no_other_trace_and_no_more_than_it_can_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
