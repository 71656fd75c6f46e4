#include "edge/http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define HEAD(lines) SPAN_LIT("GET /a/b?x=1 HTTP/1.1\r\nHost: h\r\n" lines "\r\n")

static int parse(struct span head, struct request *request)
{
    return request_parse(head, request);
}

static void splits_the_target_at_the_question_mark(void **state)
{
    struct request request;

    (void)state;
    assert_int_equal(parse(HEAD(""), &request), 0);
    assert_int_equal(request.method, REQUEST_GET);
    assert_true(span_is(request.path, SPAN_LIT("/a/b")));
    assert_true(span_is(request.query, SPAN_LIT("x=1")));
    assert_true(request.is_kept_alive);
    assert_int_equal(request.body, REQUEST_BODY_NONE);
}

static void finds_headers_in_any_case_and_trims_them(void **state)
{
    struct request request;

    (void)state;
    assert_int_equal(parse(HEAD("X-Some-Thing: \t value \t\r\n"), &request), 0);
    assert_true(span_is(request_header(&request, "x-some-thing"), SPAN_LIT("value")));
    assert_int_equal(request_header(&request, "absent").len, 0);
}

static void knows_how_the_body_is_framed(void **state)
{
    struct request request;

    (void)state;
    assert_int_equal(parse(HEAD("Content-Length: 17\r\n"), &request), 0);
    assert_int_equal(request.body, REQUEST_BODY_LENGTH);
    assert_int_equal(request.body_len, 17);
    assert_int_equal(parse(HEAD("Content-Length: 0\r\n"), &request), 0);
    assert_int_equal(request.body, REQUEST_BODY_NONE);
    assert_int_equal(parse(HEAD("Transfer-Encoding: Chunked\r\n"), &request), 0);
    assert_int_equal(request.body, REQUEST_BODY_CHUNKED);
}

static void refuses_whatever_two_readers_could_frame_differently(void **state)
{
    static const struct {
        struct span head;
        int outcome;
    } cases[] = {
        { HEAD("Content-Length: 1\r\nContent-Length: 1\r\n"), REQUEST_E_BAD },
        { HEAD("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), REQUEST_E_BAD },
        { HEAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), REQUEST_E_BAD },
        { HEAD("Transfer-Encoding: gzip, chunked\r\n"), REQUEST_E_ENCODING },
        { HEAD("Content-Length: +1\r\n"), REQUEST_E_BAD },
        { HEAD("Content-Length: 1, 1\r\n"), REQUEST_E_BAD },
        { HEAD("Content-Length: 99999999999999999999\r\n"), REQUEST_E_BAD },
        { HEAD("Content-Length:\r\n"), REQUEST_E_BAD },
        { HEAD("Content-Length : 1\r\n"), REQUEST_E_BAD },
        { HEAD("A: b\r\n folded\r\n"), REQUEST_E_BAD },
        { HEAD("A: b\nB: c\r\n"), REQUEST_E_BAD },
        { HEAD("A: b\rc\r\n"), REQUEST_E_BAD },
        { HEAD("A: \x01\r\n"), REQUEST_E_BAD },
        { HEAD("no colon\r\n"), REQUEST_E_BAD },
        { HEAD("Host: second\r\n"), REQUEST_E_BAD },
        { SPAN_LIT("GET / HTTP/1.1\r\n\r\n"), REQUEST_E_BAD },
        { SPAN_LIT("GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"), REQUEST_E_BAD },
        { SPAN_LIT("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"), REQUEST_E_BAD },
        { SPAN_LIT("GET / x HTTP/1.1\r\nHost: h\r\n\r\n"), REQUEST_E_BAD },
        { SPAN_LIT("G@T / HTTP/1.1\r\nHost: h\r\n\r\n"), REQUEST_E_BAD },
        { SPAN_LIT("GET /\r\nHost: h\r\n\r\n"), REQUEST_E_BAD },
        { SPAN_LIT("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), REQUEST_E_VERSION },
        { SPAN_LIT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), REQUEST_E_BAD },
    };
    struct request request;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (parse(cases[i].head, &request) != cases[i].outcome) {
            fail_msg("case %zu", i);
        }
    }
}

static void refuses_more_headers_and_longer_targets_than_it_may(void **state)
{
    static char text[REQUEST_HEAD_MAX + 64];
    struct request request;
    size_t len = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n");

    (void)state;
    for (unsigned i = 0; i < REQUEST_HEADERS_MAX; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "h%u: v\r\n", i);
    }
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\n");
    assert_int_equal(parse((struct span){ text, len }, &request), REQUEST_E_LARGE);
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    memcpy(text + REQUEST_TARGET_MAX + 8, " HTTP/1.1\r\nHost: h\r\n\r\n", 22);
    assert_int_equal(parse((struct span){ text, REQUEST_TARGET_MAX + 30 }, &request), REQUEST_E_LARGE);
    assert_int_equal(parse((struct span){ text, REQUEST_HEAD_MAX + 1 }, &request), REQUEST_E_LARGE);
}

static void finds_the_end_of_a_head_that_came_in_pieces(void **state)
{
    struct span whole = HEAD("");

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        assert_int_equal(request_head_len((struct span){ whole.ptr, len }, 0), 0);
    }
    for (size_t from = 0; from < whole.len; from++) {
        assert_int_equal(request_head_len(whole, from), whole.len);
    }
}

static void tells_what_becomes_of_the_connection(void **state)
{
    struct request request;

    (void)state;
    assert_int_equal(parse(HEAD("Connection: foo , Close\r\n"), &request), 0);
    assert_false(request.is_kept_alive);
    assert_int_equal(parse(SPAN_LIT("GET / HTTP/1.0\r\n\r\n"), &request), 0);
    assert_true(request.is_http10);
    assert_false(request.is_kept_alive);
    assert_int_equal(parse(SPAN_LIT("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), &request), 0);
    assert_true(request.is_kept_alive);
    assert_int_equal(parse(HEAD("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"), &request), 0);
    assert_true(request.is_upgrade);
    assert_int_equal(parse(HEAD("Expect: 100-Continue\r\n"), &request), 0);
    assert_true(request.expects_continue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_the_target_at_the_question_mark),
        cmocka_unit_test(finds_headers_in_any_case_and_trims_them),
        cmocka_unit_test(knows_how_the_body_is_framed),
        cmocka_unit_test(refuses_whatever_two_readers_could_frame_differently),
        cmocka_unit_test(refuses_more_headers_and_longer_targets_than_it_may),
        cmocka_unit_test(finds_the_end_of_a_head_that_came_in_pieces),
        cmocka_unit_test(tells_what_becomes_of_the_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
