#include "edge/http/http2_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "edge/http/request.h"

struct field {
    const char *name;
    const char *value;
};

#define GET                                                                                                            \
    { ":method", "GET" }, { ":path", "/a?b" }, { ":scheme", "https" },                                                 \
    {                                                                                                                  \
        ":authority", "h:1"                                                                                            \
    }

/* The head as HTTP/1.1 has it; the outcome when there is none. */
static int head_of(const struct field *fields, size_t n, bool has_body, struct text_buf *out)
{
    struct http2_head head = { .lines_at = 0 };
    int r;

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(http2_head_add(&head, span_from(fields[i].name), span_from(fields[i].value)), 0);
    }
    r = http2_head_end(&head, has_body, out);
    http2_head_deinit(&head);
    return r;
}

static void puts_the_head_into_the_words_of_http_1(void **state)
{
    static const struct field fields[] = { GET, { "x", "y" }, { "accept", "" } };
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(head_of(fields, ARRAY_LEN(fields), false, &out), 0);
    assert_true(span_is((struct span){ out.data, out.len },
                        SPAN_LIT("GET /a?b HTTP/1.1\r\nhost: h:1\r\nx: y\r\naccept: \r\n\r\n")));
    text_buf_deinit(&out);
}

static void joins_the_crumbs_of_a_cookie(void **state)
{
    static const struct field fields[] = { GET, { "cookie", "a=1" }, { "x", "y" }, { "cookie", "b=2" } };
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(head_of(fields, ARRAY_LEN(fields), false, &out), 0);
    assert_non_null(memmem(out.data, out.len, "\r\ncookie: a=1; b=2\r\n", 20));
    text_buf_deinit(&out);
}

static void says_how_long_a_body_is_or_that_nobody_knows(void **state)
{
    static const struct field unknown[] = { GET };
    static const struct field known[] = { GET, { "content-length", "7" } };
    struct request request;
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(head_of(unknown, ARRAY_LEN(unknown), true, &out), 0);
    assert_int_equal(request_parse((struct span){ out.data, out.len }, &request), 0);
    assert_int_equal(request.body, REQUEST_BODY_CHUNKED);
    text_buf_deinit(&out);
    out = (struct text_buf){ 0 };
    assert_int_equal(head_of(known, ARRAY_LEN(known), true, &out), 0);
    assert_int_equal(request_parse((struct span){ out.data, out.len }, &request), 0);
    assert_int_equal(request.body, REQUEST_BODY_LENGTH);
    assert_int_equal(request.body_len, 7);
    text_buf_deinit(&out);
}

static void refuses_what_could_be_read_as_something_else(void **state)
{
    static const struct field bad[] = {
        { "X", "upper case" },        { "x y", "z" },        { "x:", "z" },        { "", "z" },
        { "x", "a\r\nb: c" },         { "x", "a\nb" },       { "x", " a" },        { "x", "a\t" },
        { "connection", "x" },        { "keep-alive", "x" }, { "upgrade", "h2c" }, { "transfer-encoding", "chunked" },
        { "proxy-connection", "x" },  { "te", "gzip" },      { "host", "other" },  { ":path", "/twice" },
        { ":protocol", "websocket" }, { ":status", "200" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct field fields[] = { GET, bad[i] };
        struct text_buf out = { 0 };

        assert_int_equal(head_of(fields, ARRAY_LEN(fields), false, &out), REQUEST_E_BAD);
        assert_int_equal(out.len, 0);
    }
}

static void refuses_pseudo_fields_that_are_wrong_late_or_missing(void **state)
{
    static const struct field bad[][4] = {
        { { ":method", "G T" }, { ":path", "/" }, { ":scheme", "http" }, { ":authority", "h" } },
        { { ":method", "GET" }, { ":path", "/ HTTP/1.1" }, { ":scheme", "http" }, { ":authority", "h" } },
        { { ":method", "GET" }, { ":path", "/\xc3\xa9" }, { ":scheme", "http" }, { ":authority", "h" } },
        { { ":method", "GET" }, { ":path", "" }, { ":scheme", "http" }, { ":authority", "h" } },
        { { ":method", "GET" }, { ":path", "/" }, { ":scheme", "ftp" }, { ":authority", "h" } },
        { { ":method", "GET" }, { ":path", "/" }, { ":scheme", "http" }, { ":authority", "ann@h" } },
        { { ":method", "GET" }, { ":path", "/" }, { ":scheme", "http" }, { ":scheme", "http" } },
        { { ":method", "GET" }, { ":path", "/" }, { "x", "y" }, { ":scheme", "http" } },
        { { ":method", "GET" }, { ":path", "/" }, { ":authority", "h" }, { "x", "y" } },
        { { ":method", "GET" }, { ":scheme", "http" }, { ":authority", "h" }, { "x", "y" } },
        { { ":path", "/" }, { ":scheme", "http" }, { ":authority", "h" }, { "x", "y" } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct text_buf out = { 0 };

        assert_int_equal(head_of(bad[i], 4, false, &out), REQUEST_E_BAD);
    }
}

static void takes_the_host_when_nobody_names_an_authority(void **state)
{
    static const struct field without[] = {
        { ":method", "GET" }, { ":path", "/" }, { ":scheme", "http" }, { "host", "a" }
    };
    static const struct field equal[] = { GET, { "host", "h:1" } };
    struct request request;
    struct text_buf out = { 0 };

    (void)state;
    assert_int_equal(head_of(without, ARRAY_LEN(without), false, &out), 0);
    assert_int_equal(request_parse((struct span){ out.data, out.len }, &request), 0);
    assert_true(span_is_text(request_header(&request, "host"), "a"));
    text_buf_deinit(&out);
    out = (struct text_buf){ 0 };
    assert_int_equal(head_of(equal, ARRAY_LEN(equal), false, &out), 0);
    assert_int_equal(request_parse((struct span){ out.data, out.len }, &request), 0); /* one Host, not two */
    text_buf_deinit(&out);
}

static void keeps_nothing_of_a_head_that_is_too_large(void **state)
{
    struct http2_head head = { .lines_at = 0 };
    struct text_buf out = { 0 };
    char *value = calloc(1, 5000);

    (void)state;
    memset(value, 'x', 4999);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(http2_head_add(&head, SPAN_LIT("x"), span_from(value)), 0);
        assert_true(head.text.len <= REQUEST_HEAD_MAX);
    }
    assert_int_equal(http2_head_end(&head, false, &out), REQUEST_E_LARGE);
    http2_head_deinit(&head);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_the_head_into_the_words_of_http_1),
        cmocka_unit_test(joins_the_crumbs_of_a_cookie),
        cmocka_unit_test(says_how_long_a_body_is_or_that_nobody_knows),
        cmocka_unit_test(refuses_what_could_be_read_as_something_else),
        cmocka_unit_test(refuses_pseudo_fields_that_are_wrong_late_or_missing),
        cmocka_unit_test(takes_the_host_when_nobody_names_an_authority),
        cmocka_unit_test(keeps_nothing_of_a_head_that_is_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
