/* Rows of numbers as the text that Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "actors/health/exposition.h"
#include "bus/base/cleanup.h"
#include "schema/base/metric.h"

static void expect(const struct exposition_source *sources, size_t sources_n, const char *text)
{
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };

    assert_int_equal(exposition_write(sources, sources_n, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_string_equal(out.data, text);
}

static void families_stand_together_whoever_tells_them(void **state)
{
    struct metric_label labels[] = { { "method", SPAN_LIT("health") }, { "outcome", SPAN_LIT("ok") } };
    struct exposition_source sources[2] = { { SPAN_LIT("edge/0"), { NULL, 0 } }, { SPAN_LIT("edge/1"), { NULL, 0 } } };
    struct pack rows[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pack_init(&rows[i], 0);
        pack_array_begin(&rows[i]);
        metric_row_u64(&rows[i], "openclaw_rpc_requests_total", 7 + i, labels, 2);
        metric_row_f64(&rows[i], "openclaw_up_seconds", 1.5, NULL, 0);
        metric_row_u64(&rows[i], "nobody_knows_this", 1, NULL, 0);
        pack_array_end(&rows[i]);
        sources[i].rows = pack_span(&rows[i]);
    }
    expect(sources, 2,
           "# HELP openclaw_up_seconds Seconds since the process of the actor health began.\n"
           "# TYPE openclaw_up_seconds gauge\n"
           "openclaw_up_seconds{actor=\"edge/0\"} 1.5\nopenclaw_up_seconds{actor=\"edge/1\"} 1.5\n"
           "# HELP openclaw_rpc_requests_total Requests over WebSocket that their owner answered.\n"
           "# TYPE openclaw_rpc_requests_total counter\n"
           "openclaw_rpc_requests_total{actor=\"edge/0\",method=\"health\",outcome=\"ok\"} 7\n"
           "openclaw_rpc_requests_total{actor=\"edge/1\",method=\"health\",outcome=\"ok\"} 8\n");
    pack_deinit(&rows[0]);
    pack_deinit(&rows[1]);
}

static void texts_cannot_leave_their_quotes(void **state)
{
    struct metric_label label = { "version", SPAN_LIT("a\"b\\c\nd") };
    struct exposition_source source = { .actor = { NULL, 0 } };
    struct pack rows;

    (void)state;
    pack_init(&rows, 0);
    pack_array_begin(&rows);
    metric_row_u64(&rows, "openclaw_build_info", 1, &label, 1);
    pack_array_end(&rows);
    source.rows = pack_span(&rows);
    expect(&source, 1,
           "# HELP openclaw_build_info The version of this gateway.\n# TYPE openclaw_build_info gauge\n"
           "openclaw_build_info{version=\"a\\\"b\\\\c\\nd\"} 1\n");
    pack_deinit(&rows);
}

static void a_histogram_counts_up_to_all(void **state)
{
    CLEANUP(text_buf_deinit) struct text_buf out = { 0 };
    struct metric_histogram times = { .sum_ns = 0 };
    struct exposition_source source = { .actor = { NULL, 0 } };
    struct pack rows;

    (void)state;
    metric_note(&times, 100000);          /* 0.1 ms */
    metric_note(&times, 500000);          /* on a bound: within it */
    metric_note(&times, 2000000000);      /* 2 s */
    metric_note(&times, 120000000000ULL); /* longer than every bound */
    assert_int_equal(metric_count(&times), 4);
    pack_init(&rows, 0);
    pack_array_begin(&rows);
    metric_row_histogram(&rows, "openclaw_rpc_seconds", &times, NULL, 0);
    pack_array_end(&rows);
    source.rows = pack_span(&rows);
    assert_int_equal(exposition_write(&source, 1, &out), 0);
    assert_int_equal(text_buf_add(&out, (struct span){ "", 1 }), 0);
    assert_non_null(strstr(out.data, "openclaw_rpc_seconds_bucket{le=\"0.0005\"} 2\n"));
    assert_non_null(strstr(out.data, "openclaw_rpc_seconds_bucket{le=\"1\"} 2\n"));
    assert_non_null(strstr(out.data, "openclaw_rpc_seconds_bucket{le=\"2.5\"} 3\n"));
    assert_non_null(strstr(out.data, "openclaw_rpc_seconds_bucket{le=\"60\"} 3\n"));
    assert_non_null(strstr(out.data, "openclaw_rpc_seconds_bucket{le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(out.data, "openclaw_rpc_seconds_count 4\n"));
    assert_non_null(strstr(out.data, "openclaw_rpc_seconds_sum 122.000"));
    pack_deinit(&rows);
}

/* What an actor of another version may say. */
static void rows_that_are_not_as_they_should_be_are_left_out(void **state)
{
    struct exposition_source source = { .actor = { NULL, 0 } };
    struct pack rows;

    (void)state;
    pack_init(&rows, 0);
    pack_array_begin(&rows);
    pack_u64(&rows, 7);
    pack_array_begin(&rows);
    pack_array_end(&rows);
    pack_array_begin(&rows);
    pack_text(&rows, "openclaw_up_seconds");
    pack_array_end(&rows);
    pack_array_begin(&rows);
    pack_text(&rows, "openclaw_up_seconds");
    pack_u64(&rows, 1);
    pack_text(&rows, "half a label");
    pack_array_end(&rows);
    metric_row_u64(&rows, "openclaw_rpc_seconds", 1, NULL, 0); /* no histogram */
    metric_row_u64(&rows, "openclaw_actor_waiting_seconds", 1, NULL, 0);
    pack_array_end(&rows);
    source.rows = pack_span(&rows);
    expect(&source, 1, "");
    pack_deinit(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_stand_together_whoever_tells_them),
        cmocka_unit_test(texts_cannot_leave_their_quotes),
        cmocka_unit_test(a_histogram_counts_up_to_all),
        cmocka_unit_test(rows_that_are_not_as_they_should_be_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
