#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "actors/otel/spans.h"

#define SECOND 1000000

struct seen {
    struct span_one spans[8];
    size_t n;
};

static void on_span(void *arg, const struct span_one *span)
{
    struct seen *seen = arg;

    if (seen->n < 8) {
        seen->spans[seen->n] = *span;
    }
    seen->n++;
}

static void see(struct spans *spans, enum envelope_kind kind, const char *from, const char *to, uint64_t corr,
                int64_t at_us)
{
    struct envelope env = { .kind = kind,
                            .corr = corr,
                            .from = span_from(from),
                            .to = span_from(to),
                            .name = SPAN_LIT("m"),
                            .trace = { 1, 2 } };

    spans_see(spans, &env, 10, at_us, false);
}

static const struct span_one *found(const struct seen *seen, const char *from)
{
    for (size_t i = 0; i < seen->n; i++) {
        if (strcmp(seen->spans[i].from, from) == 0) {
            return &seen->spans[i];
        }
    }
    return NULL;
}

static void what_is_asked_within_a_call_is_within_its_span(void **state)
{
    struct seen seen = { .n = 0 };
    struct spans spans;

    (void)state;
    spans_init(&spans, 1.0);
    see(&spans, ENVELOPE_CALL, "a", "b", 1, 100);
    see(&spans, ENVELOPE_CALL, "b", "c", 7, 200);
    see(&spans, ENVELOPE_FAIL, "c", "b", 7, 300);
    see(&spans, ENVELOPE_REPLY, "b", "a", 1, 400);
    spans_sweep(&spans, 400, on_span, &seen);
    assert_int_equal(seen.n, 0); /* others may still come */
    spans_sweep(&spans, 400 + 2 * SECOND, on_span, &seen);
    assert_int_equal(seen.n, 2);
    assert_int_equal(found(&seen, "a")->parent, 0);
    assert_int_equal(found(&seen, "b")->parent, found(&seen, "a")->id);
    assert_true(found(&seen, "b")->is_failed);
    assert_int_equal(found(&seen, "b")->end_us - found(&seen, "b")->start_us, 100);
    assert_int_equal(spans.n, 0);
    spans_deinit(&spans);
}

static void an_answer_may_be_seen_before_its_call(void **state)
{
    struct seen seen = { .n = 0 };
    struct spans spans;

    (void)state;
    spans_init(&spans, 1.0);
    see(&spans, ENVELOPE_REPLY, "b", "a", 1, 400);
    see(&spans, ENVELOPE_CALL, "a", "b", 1, 100);
    spans_sweep(&spans, 2 * SECOND, on_span, &seen);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.spans[0].start_us, 100);
    assert_int_equal(seen.spans[0].end_us, 400);
    spans_deinit(&spans);
}

static void a_call_that_is_handed_on_is_one_span_of_who_answers(void **state)
{
    struct seen seen = { .n = 0 };
    struct spans spans;

    (void)state;
    spans_init(&spans, 1.0);
    see(&spans, ENVELOPE_CALL, "edge/0", "router", 1, 100);
    see(&spans, ENVELOPE_CALL, "edge/0", "agent/main", 1, 150);
    see(&spans, ENVELOPE_REPLY, "agent/main", "edge/0", 1, 400);
    spans_sweep(&spans, 2 * SECOND, on_span, &seen);
    assert_int_equal(seen.n, 1);
    assert_string_equal(seen.spans[0].to, "agent/main");
    assert_int_equal(seen.spans[0].start_us, 100);
    spans_deinit(&spans);
}

static void what_is_never_answered_is_forgotten(void **state)
{
    struct seen seen = { .n = 0 };
    struct spans spans;

    (void)state;
    spans_init(&spans, 1.0);
    see(&spans, ENVELOPE_CALL, "a", "b", 1, 100);
    spans_sweep(&spans, SPANS_OPEN_US, on_span, &seen);
    assert_int_equal(spans.n, 1);
    spans_sweep(&spans, 101 + SPANS_OPEN_US, on_span, &seen);
    assert_int_equal(spans.n, 0);
    assert_int_equal(seen.n, 0);
    spans_deinit(&spans);
}

static void what_finds_no_room_is_counted_and_room_comes_back(void **state)
{
    struct seen seen = { .n = 0 };
    struct spans spans;

    (void)state;
    spans_init(&spans, 1.0);
    for (uint64_t i = 1; i <= SPANS_MAX + 5; i++) {
        see(&spans, ENVELOPE_CALL, "a", "b", i, 100);
    }
    assert_int_equal(spans.dropped, 5);
    for (uint64_t i = 1; i <= SPANS_MAX; i++) {
        see(&spans, ENVELOPE_REPLY, "b", "a", i, 200);
    }
    spans_sweep(&spans, 2 * SECOND, on_span, &seen);
    assert_int_equal(seen.n, SPANS_MAX);
    see(&spans, ENVELOPE_CALL, "a", "b", 1, 100);
    assert_int_equal(spans.dropped, 5);
    assert_int_equal(spans.n, 1);
    spans_deinit(&spans);
}

static void a_trace_is_looked_at_whole_or_not_at_all(void **state)
{
    struct spans half;
    unsigned n = 0;

    (void)state;
    spans_init(&half, 0.5);
    for (uint64_t i = 1; i <= 400; i++) {
        struct envelope env = { .kind = ENVELOPE_CALL,
                                .corr = i,
                                .from = SPAN_LIT("a"),
                                .to = SPAN_LIT("b"),
                                .name = SPAN_LIT("m"),
                                .trace = { 0, i } };
        uint32_t before = half.n;

        spans_see(&half, &env, 0, 100, false);
        n += half.n > before;
        env.kind = ENVELOPE_REPLY;
        env.from = SPAN_LIT("b");
        env.to = SPAN_LIT("a");
        before = half.n;
        spans_see(&half, &env, 0, 200, false);
        assert_int_equal(half.n, before); /* no answer without its call */
    }
    assert_true(n > 150 && n < 250);
    spans_deinit(&half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_within_a_call_is_within_its_span),
        cmocka_unit_test(an_answer_may_be_seen_before_its_call),
        cmocka_unit_test(a_call_that_is_handed_on_is_one_span_of_who_answers),
        cmocka_unit_test(what_is_never_answered_is_forgotten),
        cmocka_unit_test(what_finds_no_room_is_counted_and_room_comes_back),
        cmocka_unit_test(a_trace_is_looked_at_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
