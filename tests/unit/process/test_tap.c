#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "bus/tap_order.h"
#include "bus/tap_shown.h"
#include "bus/value.h"
#include "edge/cli/tap_line.h"

static void timed_pack(struct pack *pack, int64_t ts_us, struct envelope env, const char *note, bool times)
{
    uint8_t header[ENVELOPE_HEADER_MAX];
    size_t len;

    env.left_ms = UINT32_MAX;
    len = envelope_encode(&env, header);
    pack_array_begin(pack);
    pack_i64(pack, ts_us);
    pack_bin(pack, (struct span){ (const char *)header, len });
    pack_u64(pack, 7);
    pack_map_begin(pack);
    pack_kv_text(pack, "sessionKey", "agent:main:x");
    pack_map_end(pack);
    pack_text(pack, note);
    pack_text(pack, "agent:main:x");
    if (times) {
        pack_array_begin(pack);
        pack_u64(pack, 4000);
        pack_u64(pack, 6);
        pack_array_end(pack);
    }
    pack_array_end(pack);
}

static void record_pack(struct pack *pack, int64_t ts_us, struct envelope env, const char *note)
{
    timed_pack(pack, ts_us, env, note, false);
}

static void batch_begin(struct pack *pack)
{
    pack_init(pack, 0);
    pack_array_begin(pack);
    pack_map_begin(pack);
    pack_kv_text(pack, "host", "main");
    pack_kv_text(pack, "address", "edge/0");
    pack_kv_u64(pack, "dropped", 3);
    pack_map_end(pack);
}

static const struct envelope call = { .kind = ENVELOPE_CALL,
                                      .id = 1,
                                      .corr = 9,
                                      .from = { "edge/0", 6 },
                                      .to = { "router", 6 },
                                      .name = { "chat.send", 9 },
                                      .trace = { .hi = 1, .lo = 2 } };
static const struct envelope reply = { .kind = ENVELOPE_REPLY,
                                       .id = 2,
                                       .corr = 9,
                                       .from = { "agent/main", 10 },
                                       .to = { "edge/0", 6 },
                                       .name = { "chat.send", 9 },
                                       .trace = { .hi = 1, .lo = 2 } };

static void add(struct tap_order *order, struct pack *pack, unsigned want_malformed)
{
    unsigned malformed = 0;

    pack_array_end(pack);
    assert_int_equal(pack_error(pack), 0);
    assert_int_equal(tap_order_add(order, pack_span(pack), &malformed), 0);
    assert_int_equal(tap_order_dropped(order), 3);
    assert_int_equal(malformed, want_malformed);
    pack_deinit(pack);
}

static void brings_an_answer_behind_its_question_and_tells_the_time_between(void **state)
{
    struct tap_order order = { 0 };
    struct tap_calls *calls = calloc(1, sizeof(*calls));
    struct tap_held *held;
    struct pack pack;

    (void)state;
    batch_begin(&pack);
    record_pack(&pack, 3500, reply, NULL);
    add(&order, &pack, 0);
    batch_begin(&pack);
    record_pack(&pack, 1000, call, NULL);
    add(&order, &pack, 0);
    assert_null(tap_order_take(&order, 999));
    held = tap_order_take(&order, 1000);
    tap_record_pair(&held->record, calls);
    assert_int_equal(held->record.env.kind, ENVELOPE_CALL);
    assert_false(held->record.has_latency);
    assert_true(span_is_text(held->record.host, "main"));
    free(held);
    assert_null(tap_order_take(&order, 3499));
    held = tap_order_take(&order, INT64_MAX);
    tap_record_pair(&held->record, calls);
    assert_true(held->record.has_latency);
    assert_true(held->record.latency_ms > 2.49 && held->record.latency_ms < 2.51);
    free(held);
    assert_null(tap_order_take(&order, INT64_MAX));
    tap_order_deinit(&order);
    free(calls);
}

static void keeps_the_order_of_arrival_within_one_moment_and_sorts_the_rest(void **state)
{
    struct tap_order order = { 0 };
    int64_t last_us = -1;
    uint64_t last_id = 0;
    struct tap_held *held;
    struct pack pack;

    (void)state;
    batch_begin(&pack);
    for (unsigned i = 0; i < 1000; i++) {
        struct envelope env = call;

        env.id = i + 1;
        record_pack(&pack, (i * 7919) % 100, env, NULL);
    }
    add(&order, &pack, 0);
    for (unsigned i = 0; i < 1000; i++) {
        held = tap_order_take(&order, INT64_MAX);
        assert_non_null(held);
        assert_true(held->record.ts_us > last_us || (held->record.ts_us == last_us && held->record.env.id > last_id));
        last_us = held->record.ts_us;
        last_id = held->record.env.id;
        free(held);
    }
    tap_order_deinit(&order);
}

static void makes_one_json_object_per_line(void **state)
{
    CLEANUP(text_buf_deinit) struct text_buf line = { 0 };
    struct tap_order order = { 0 };
    struct tap_held *held;
    struct pack pack;

    (void)state;
    batch_begin(&pack);
    record_pack(&pack, 1500, call, "receiver is down");
    add(&order, &pack, 0);
    held = tap_order_take(&order, INT64_MAX);
    assert_int_equal(tap_line_json(&held->record, &line), 0);
    assert_int_equal(text_buf_add(&line, (struct span){ "", 1 }), 0);
    assert_string_equal(
        line.data,
        "{\"ts\":1.5,\"kind\":\"call\",\"from\":\"edge/0\",\"to\":\"router\",\"method\":"
        "\"chat.send\",\"trace\":\"00000000000000010000000000000002\",\"bytes\":7,\"id\":1,"
        "\"corr\":9,\"session\":\"agent:main:x\",\"host\":\"main\",\"undelivered\":\"receiver is down\",\"body\":"
        "{\"sessionKey\":\"agent:main:x\"}}\n");
    free(held);
    tap_order_deinit(&order);
}

static void says_how_long_it_took_to_handle(void **state)
{
    CLEANUP(text_buf_deinit) struct text_buf json = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct tap_order order = { 0 };
    struct tap_calls *calls = calloc(1, sizeof(*calls));
    struct tap_held *held;
    struct pack pack;

    (void)state;
    batch_begin(&pack);
    timed_pack(&pack, 1500, call, NULL, true);
    timed_pack(&pack, 2500, reply, NULL, true);
    add(&order, &pack, 0);
    held = tap_order_take(&order, INT64_MAX);
    tap_record_pair(&held->record, calls);
    assert_int_equal(tap_line_json(&held->record, &json), 0);
    assert_int_equal(tap_line_text(&held->record, &text), 0);
    assert_int_equal(text_buf_add(&json, (struct span){ "", 1 }), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_non_null(strstr(json.data, "\"handled\":{\"by\":\"edge/0\",\"waitMs\":4,\"handlerMs\":0.006}"));
    assert_non_null(strstr(text.data, "handled by edge/0: waited 4.000 ms, took 0.006 ms"));
    free(held);
    held = tap_order_take(&order, INT64_MAX);
    tap_record_pair(&held->record, calls);
    assert_false(held->record.has_latency);
    free(held);
    free(calls);
    tap_order_deinit(&order);
}

static void a_filter_sees_session_method_and_topic(void **state)
{
    struct tap_order order = { 0 };
    struct envelope topic = call;
    struct tap_filter_subject subject;
    struct tap_held *held;
    struct pack pack;

    (void)state;
    topic.kind = ENVELOPE_PUBLISH;
    batch_begin(&pack);
    record_pack(&pack, 1, call, NULL);
    record_pack(&pack, 2, topic, NULL);
    add(&order, &pack, 0);
    held = tap_order_take(&order, INT64_MAX);
    subject = tap_record_subject(&held->record);
    assert_true(span_is_text(subject.texts[TAP_FILTER_SESSION], "agent:main:x"));
    assert_true(span_is_text(subject.texts[TAP_FILTER_METHOD], "chat.send"));
    assert_null(subject.texts[TAP_FILTER_TOPIC].ptr);
    free(held);
    held = tap_order_take(&order, INT64_MAX);
    subject = tap_record_subject(&held->record);
    assert_true(span_is_text(subject.texts[TAP_FILTER_TOPIC], "chat.send"));
    assert_null(subject.texts[TAP_FILTER_METHOD].ptr);
    free(held);
    tap_order_deinit(&order);
}

static void skips_and_counts_what_is_malformed(void **state)
{
    struct tap_order order = { 0 };
    unsigned malformed = 0;
    struct pack pack;

    (void)state;
    batch_begin(&pack);
    pack_i64(&pack, 5);
    pack_array_begin(&pack);
    pack_i64(&pack, 5);
    pack_array_end(&pack);
    record_pack(&pack, 1, call, NULL);
    add(&order, &pack, 2);
    assert_int_equal(order.n, 1);
    assert_int_equal(tap_order_add(&order, SPAN_LIT("\xc1"), &malformed), TAP_RECORD_E_MALFORMED);
    assert_int_equal(tap_order_add(&order, SPAN_LIT("\x90"), &malformed), TAP_RECORD_E_MALFORMED);
    assert_int_equal(tap_order_add(&order, SPAN_LIT("\xdd\xff\xff\xff\xff"), &malformed), TAP_RECORD_E_MALFORMED);
    tap_order_deinit(&order);
}

static void adds_up_what_senders_lost_over_all_their_lives(void **state)
{
    static const struct {
        const char *address;
        uint64_t dropped;
        uint64_t want;
    } said[] = { { "a", 5, 5 }, { "b", 2, 7 }, { "a", 6, 8 }, { "a", 1, 9 }, { "a", 3, 11 }, { "b", 2, 11 } };
    struct tap_order order = { 0 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        CLEANUP(pack_deinit) struct pack pack;
        unsigned malformed = 0;

        pack_init(&pack, 0);
        pack_array_begin(&pack);
        pack_map_begin(&pack);
        pack_kv_text(&pack, "host", "main");
        pack_kv_text(&pack, "address", said[i].address);
        pack_kv_u64(&pack, "dropped", said[i].dropped);
        pack_map_end(&pack);
        pack_array_end(&pack);
        assert_int_equal(tap_order_add(&order, pack_span(&pack), &malformed), 0);
        assert_int_equal(tap_order_dropped(&order), said[i].want);
    }
    tap_order_deinit(&order);
}

static void a_record_that_is_shown_can_be_read_again(void **state)
{
    struct envelope env = call;
    struct tap_order order = { 0 };
    struct tap_record again;
    struct tap_held *held;
    struct pack batch;
    CLEANUP(pack_deinit) struct pack shown;
    uint8_t first[ENVELOPE_HEADER_MAX];
    uint8_t second[ENVELOPE_HEADER_MAX];
    size_t len;

    (void)state;
    env.id = UINT64_MAX;
    env.incarnation = 65537;
    env.flags = 4096;
    env.via = SPAN_LIT("router");
    env.asker = 3;
    env.principal = SPAN_LIT("somebody");
    batch_begin(&batch);
    timed_pack(&batch, 1700000000123456, env, "receiver is down", true);
    add(&order, &batch, 0);
    held = tap_order_take(&order, INT64_MAX);
    held->record.has_latency = true;
    held->record.latency_ms = 2.5;
    pack_init(&shown, 0);
    pack_map_begin(&shown);
    tap_shown_pack(&held->record, &shown);
    tap_shown_pack_rest(&held->record, &shown);
    pack_map_end(&shown);
    assert_true(tap_shown_read(pack_span(&shown), &again));
    len = envelope_encode(&held->record.env, first);
    assert_int_equal(envelope_encode(&again.env, second), len);
    assert_memory_equal(first, second, len);
    assert_true(again.ts_us == held->record.ts_us && again.bytes == 7);
    assert_true(again.is_handled && again.waited_us == 4000 && again.busy_us == 6);
    assert_true(span_is_text(again.address, "edge/0") && span_is_text(again.host, "main"));
    assert_true(span_is_text(again.note, "receiver is down") && span_is_text(again.session, "agent:main:x"));
    assert_true(again.has_latency && again.latency_ms > 2.49 && again.latency_ms < 2.51);
    assert_true(span_is(again.body, held->record.body));
    assert_string_equal(again.trace, held->record.trace);
    free(held);
    tap_order_deinit(&order);
}

static bool shown_is_read(const char *kind, const char *from, const char *trace, size_t name_len)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct tap_record record;
    char name[256];

    memset(name, 'x', sizeof(name));
    pack_init(&pack, 0);
    pack_map_begin(&pack);
    pack_kv_text(&pack, "kind", kind);
    pack_kv_text(&pack, "from", from);
    pack_kv_text(&pack, "to", "b");
    pack_kv_str(&pack, "method", (struct span){ name, name_len });
    pack_kv_text(&pack, "trace", trace);
    pack_map_end(&pack);
    return tap_shown_read(pack_span(&pack), &record);
}

static void what_is_no_record_is_not_read(void **state)
{
    (void)state;
    assert_true(shown_is_read("call", "a", NULL, ENVELOPE_NAME_MAX - 1));
    assert_true(shown_is_read("call", "a", "00000000000000010000000000000002", 1));
    assert_false(shown_is_read("call", "a", NULL, ENVELOPE_NAME_MAX));
    assert_false(shown_is_read("shout", "a", NULL, 1));
    assert_false(shown_is_read("call", "", NULL, 1));
    assert_false(shown_is_read("call", "a", "0000000000000001000000000000000", 1));
    assert_false(shown_is_read("call", "a", "0000000000000001000000000000000x", 1));
}

static void the_oldest_leave_early_when_they_are_too_large_together(void **state)
{
    struct tap_order order = { .bytes_max = 3000 };
    struct tap_held *held;
    unsigned taken = 0;
    struct pack pack;

    (void)state;
    batch_begin(&pack);
    for (int64_t at = 1; at <= 20; at++) {
        record_pack(&pack, at, call, NULL);
    }
    add(&order, &pack, 0);
    assert_true(order.bytes > 3000);
    while ((held = tap_order_take(&order, 0))) {
        assert_int_equal(held->record.ts_us, ++taken);
        free(held);
    }
    assert_true(taken > 0 && taken < 20 && order.n == 20 - taken && order.bytes <= 3000);
    tap_order_deinit(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_an_answer_behind_its_question_and_tells_the_time_between),
        cmocka_unit_test(keeps_the_order_of_arrival_within_one_moment_and_sorts_the_rest),
        cmocka_unit_test(makes_one_json_object_per_line),
        cmocka_unit_test(says_how_long_it_took_to_handle),
        cmocka_unit_test(a_filter_sees_session_method_and_topic),
        cmocka_unit_test(skips_and_counts_what_is_malformed),
        cmocka_unit_test(a_record_that_is_shown_can_be_read_again),
        cmocka_unit_test(what_is_no_record_is_not_read),
        cmocka_unit_test(the_oldest_leave_early_when_they_are_too_large_together),
        cmocka_unit_test(adds_up_what_senders_lost_over_all_their_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
