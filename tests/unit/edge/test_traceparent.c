#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "edge/http/request.h"
#include "edge/listener/traceparent.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"
#define HI 0x0af7651916cd43ddULL
#define LO 0x8448eb211c80319cULL

static void names_the_trace(const char *text)
{
    struct trace_id trace = traceparent_parse(span_from(text));

    assert_int_equal(trace.hi, HI);
    assert_int_equal(trace.lo, LO);
}

static void is_none(struct trace_id trace)
{
    assert_int_equal(trace.hi, 0);
    assert_int_equal(trace.lo, 0);
}

static void reads_what_is_valid_whatever_the_flags(void **state)
{
    (void)state;
    names_the_trace("00-" TRACE "-" PARENT "-00");
    names_the_trace("00-" TRACE "-" PARENT "-01");
    names_the_trace("00-" TRACE "-" PARENT "-ff");
}

/* Trace Context §3.2.4: of later versions what is known of this one is read. */
static void reads_later_versions_as_far_as_they_are_known(void **state)
{
    (void)state;
    names_the_trace("01-" TRACE "-" PARENT "-01");
    names_the_trace("cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like");
    names_the_trace("fe-" TRACE "-" PARENT "-01-");
    is_none(traceparent_parse(SPAN_LIT("cc-" TRACE "-" PARENT "-01.what-the-future-will-be-like")));
}

static void ignores_everything_else(void **state)
{
    static const char *const wrong[] = {
        "",
        "00",
        "nonsense",
        TRACE,
        "ff-" TRACE "-" PARENT "-01", /* the version that is none */
        "0-" TRACE "-" PARENT "-01",  /* too short at every place */
        "00-"
        "0af7651916cd43dd8448eb211c80319-" PARENT "-01",
        "00-" TRACE "-b7ad6b716920333-01",
        "00-" TRACE "-" PARENT "-1",
        "00-" TRACE "-" PARENT "-01-more", /* version 00 has no more */
        "00-" TRACE "-" PARENT "-01 ",
        " 00-" TRACE "-" PARENT "-01",
        "00-00000000000000000000000000000000-" PARENT "-01", /* zeros name nothing */
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01", /* upper case */
        "00-" TRACE "-B7AD6B7169203331-01",
        "0A-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-0A",
        "00-0af7651916cd43dd8448eb211c80319g-" PARENT "-01", /* no digits */
        "00-" TRACE "-b7ad6b716920333z-01",
        "0x-" TRACE "-" PARENT "-01",
        "00-" TRACE "-" PARENT "-.1",
        "00_" TRACE "-" PARENT "-01", /* no dashes */
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        is_none(traceparent_parse(span_from(wrong[i])));
    }
    is_none(traceparent_parse((struct span){ NULL, 0 }));
}

static struct trace_id of_headers(const char *headers)
{
    struct request request;
    char head[512];
    int len = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);

    assert_int_equal(request_parse((struct span){ head, (size_t)len }, &request), 0);
    return traceparent_of(&request);
}

static void a_request_has_one_or_none(void **state)
{
    static const char one[] = "TraceParent: 00-" TRACE "-" PARENT "-01\r\n";
    struct trace_id trace = of_headers(one);

    (void)state;
    assert_int_equal(trace.hi, HI);
    assert_int_equal(trace.lo, LO);
    is_none(of_headers(""));
    is_none(of_headers("trace-parent: 00-" TRACE "-" PARENT "-01\r\n"));
    is_none(of_headers("traceparent: 00-" TRACE "-" PARENT "-01\r\nTraceparent: 00-" TRACE "-" PARENT "-01\r\n"));
    is_none(of_headers("traceparent:\r\nTraceparent: 00-" TRACE "-" PARENT "-01\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_is_valid_whatever_the_flags),
        cmocka_unit_test(reads_later_versions_as_far_as_they_are_known),
        cmocka_unit_test(ignores_everything_else),
        cmocka_unit_test(a_request_has_one_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
