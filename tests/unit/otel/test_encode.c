#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "actors/otel/encode.h"
#include "actors/otel/settings.h"
#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "bus/value.h"

static const struct encode_resource resource = { .service = "a \"quoted\" name", .version = "1", .instance = "i" };

/* The JSON, packed; it must be JSON. */
static void read_back(const struct text_buf *text, struct pack *ret)
{
    pack_init(ret, 0);
    assert_int_equal(json_to_pack((struct span){ text->data, text->len }, &(struct json_opts){ 0 }, ret, NULL), 0);
}

static struct span at(struct span list, size_t n)
{
    struct value_iter it = value_iter(list);
    struct span none;
    struct span item = { 0 };

    for (size_t i = 0; i <= n; i++) {
        if (!value_next(&it, &none, &item)) {
            fail_msg("there is no item %zu", n);
            abort();
        }
    }
    return item;
}

static void is_text(struct span value, const char *text)
{
    assert_true(span_is_text(value_str(value, (struct span){ "", 0 }), text));
}

static struct span metrics_of(const struct pack *pack)
{
    struct span scope = at(value_get(at(value_get(pack_span(pack), "resourceMetrics"), 0), "scopeMetrics"), 0);

    return value_get(scope, "metrics");
}

static void a_page_of_every_kind_becomes_its_metrics(void **state)
{
    static const char page[] = "# HELP up About.\n# TYPE up gauge\nup 1.5\n"
                               "# TYPE runs_total counter\nruns_total{actor=\"a\\\"b\",outcome=\"ok\"} 3\n"
                               "runs_total{outcome=\"x\\ny\"} 4\n"
                               "# TYPE s histogram\ns_bucket{m=\"q\",le=\"0.1\"} 1\ns_bucket{m=\"q\",le=\"1\"} 4\n"
                               "s_bucket{m=\"q\",le=\"+Inf\"} 6\ns_sum{m=\"q\"} 2.5\ns_count{m=\"q\"} 6\n"
                               "# TYPE w summary\nw_sum 9\nw_count 2\n"
                               "this is no line\nup{ 1\n";
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    CLEANUP(pack_deinit) struct pack pack;

    (void)state;
    assert_int_equal(encode_metrics(&resource, span_from(page), 1, 2, &text), 0);
    read_back(&text, &pack);
    struct span all = metrics_of(&pack);
    assert_int_equal(value_count(all), 4);
    is_text(value_get(at(all, 0), "name"), "up");
    assert_true(value_f64(value_get(at(value_path(at(all, 0), "gauge.dataPoints"), 0), "asDouble"), 0) > 1.4);
    struct span counter = value_get(at(all, 1), "sum");
    assert_int_equal(value_count(value_get(counter, "dataPoints")), 2);
    struct span label = at(value_get(at(value_get(counter, "dataPoints"), 0), "attributes"), 0);
    is_text(value_path(label, "value.stringValue"), "a\"b");
    label = at(value_get(at(value_get(counter, "dataPoints"), 1), "attributes"), 0);
    is_text(value_path(label, "value.stringValue"), "x\ny");
    struct span point = at(value_path(at(all, 2), "histogram.dataPoints"), 0);
    struct span buckets = value_get(point, "bucketCounts");
    is_text(at(buckets, 0), "1");
    is_text(at(buckets, 1), "3");
    is_text(at(buckets, 2), "2");
    is_text(value_get(point, "count"), "6");
    assert_int_equal(value_count(value_get(point, "explicitBounds")), 2);
    is_text(value_get(at(value_path(at(all, 3), "summary.dataPoints"), 0), "count"), "2");
}

static void no_page_is_a_request_without_metrics(void **state)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    CLEANUP(pack_deinit) struct pack pack;

    (void)state;
    assert_int_equal(encode_metrics(&resource, (struct span){ "", 0 }, 1, 2, &text), 0);
    read_back(&text, &pack);
    assert_int_equal(value_count(metrics_of(&pack)), 0);
}

static void spans_stand_side_by_side_in_one_request(void **state)
{
    CLEANUP(text_buf_deinit) struct text_buf spans = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    CLEANUP(pack_deinit) struct pack pack;
    struct span_one one = { .trace = { 0x4bf9, 0x4736 }, .id = 0xab, .parent = 0xcd, .start_us = 5, .end_us = 7 };

    (void)state;
    (void)snprintf(one.name, sizeof(one.name), "chat.send");
    assert_int_equal(encode_span(&one, &spans), 0);
    one.parent = 0;
    one.is_failed = true;
    one.end_us = 3; /* clocks of two machines */
    assert_int_equal(encode_span(&one, &spans), 0);
    assert_int_equal(encode_traces(&resource, (struct span){ spans.data, spans.len }, &text), 0);
    read_back(&text, &pack);
    struct span group = at(value_get(pack_span(&pack), "resourceSpans"), 0);
    struct span list = value_get(at(value_get(group, "scopeSpans"), 0), "spans");
    assert_int_equal(value_count(list), 2);
    is_text(value_get(at(list, 0), "traceId"), "0000000000004bf90000000000004736");
    is_text(value_get(at(list, 0), "spanId"), "00000000000000ab");
    is_text(value_get(at(list, 0), "parentSpanId"), "00000000000000cd");
    is_text(value_get(at(list, 0), "startTimeUnixNano"), "5000");
    is_text(value_get(at(list, 0), "endTimeUnixNano"), "7000");
    assert_int_equal(value_get(at(list, 1), "parentSpanId").len, 0);
    is_text(value_get(at(list, 1), "endTimeUnixNano"), "5000");
    assert_int_equal(value_i64(value_path(at(list, 1), "status.code"), 0), 2);
    is_text(value_path(at(value_path(group, "resource.attributes"), 0), "value.stringValue"), "a \"quoted\" name");
}

static int settings(const char *json, struct settings *ret)
{
    CLEANUP(pack_deinit) struct pack pack;
    char why[200] = "";

    pack_init(&pack, 0);
    assert_int_equal(json_to_pack(span_from(json), &(struct json_opts){ .json5 = true }, &pack, NULL), 0);
    int r = settings_read(pack_span(&pack), ret, why, sizeof(why));
    assert_int_equal(r != 0, why[0] != '\0');
    return r;
}

static void addresses_are_those_of_the_protocol(void **state)
{
    struct settings self;

    (void)state;
    assert_int_equal(settings("{diagnostics:{otel:{enabled:true}}}", &self), 0);
    assert_string_equal(self.traces.host, "localhost");
    assert_string_equal(self.traces.port, "4318");
    assert_string_equal(self.traces.path, "/v1/traces");
    assert_string_equal(self.metrics.path, "/v1/metrics");
    assert_string_equal(self.service, "openclaw");
    assert_true(self.has_traces && self.has_metrics);
    assert_int_equal(settings("{diagnostics:{otel:{enabled:true,endpoint:'http://[::1]:9/x/',metrics:false,"
                              "tracesEndpoint:'http://h/t',flushIntervalMs:5}}}",
                              &self),
                     0);
    assert_string_equal(self.traces.port, "80");
    assert_string_equal(self.traces.path, "/t");
    assert_string_equal(self.metrics.host, "::1");
    assert_string_equal(self.metrics.port, "9");
    assert_string_equal(self.metrics.path, "/x/v1/metrics");
    assert_false(self.has_metrics);
    assert_int_equal(self.flush_ms, SETTINGS_FLUSH_LEAST_MS);
}

static void nothing_is_done_unless_it_is_wanted(void **state)
{
    struct settings self;

    (void)state;
    assert_int_equal(settings("{}", &self), 0);
    assert_false(self.has_traces || self.has_metrics);
    assert_int_equal(settings("{diagnostics:{otel:{endpoint:'https://x'}}}", &self), 0);
}

static void what_cannot_be_done_is_refused(void **state)
{
    static const char *const bad[] = {
        "{diagnostics:{otel:{enabled:true,protocol:'grpc'}}}",
        "{diagnostics:{otel:{enabled:true,endpoint:'https://x'}}}",
        "{diagnostics:{otel:{enabled:true,endpoint:'http://'}}}",
        "{diagnostics:{otel:{enabled:true,endpoint:'http://h:1\\r\\nX: y'}}}",
        "{diagnostics:{otel:{enabled:true,endpoint:'http://h:port'}}}",
        "{diagnostics:{otel:{enabled:true,endpoint:'http://[::1'}}}",
        "{diagnostics:{otel:{enabled:true,headers:{'A B':'c'}}}}",
        "{diagnostics:{otel:{enabled:true,headers:{A:'c\\r\\nHost: d'}}}}",
    };
    struct settings self;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (settings(bad[i], &self) != SETTINGS_E_REFUSED) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_every_kind_becomes_its_metrics),
        cmocka_unit_test(no_page_is_a_request_without_metrics),
        cmocka_unit_test(spans_stand_side_by_side_in_one_request),
        cmocka_unit_test(addresses_are_those_of_the_protocol),
        cmocka_unit_test(nothing_is_done_unless_it_is_wanted),
        cmocka_unit_test(what_cannot_be_done_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
