#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "actors/agent/sse.h"

/* Collects events, each ended by '|'. */
struct seen {
    char text[512];
    size_t len;
    int stop_at; /* refuse the n-th event; 0: none */
    int events_n;
};

static int on_event(void *arg, struct span data)
{
    struct seen *seen = arg;

    assert_true(seen->len + data.len + 1 < sizeof(seen->text));
    memcpy(seen->text + seen->len, data.ptr, data.len);
    seen->len += data.len;
    seen->text[seen->len++] = '|';
    seen->text[seen->len] = 0;
    return ++seen->events_n == seen->stop_at;
}

static int parse(struct seen *seen, const char *text, size_t step, size_t event_max)
{
    struct sse sse;
    size_t len = strlen(text);
    int rc = 0;

    sse_init(&sse, event_max, on_event, seen);
    for (size_t at = 0; at < len && !rc; at += step) {
        /* A copy of its own size, so that a read behind it is caught. */
        size_t part = len - at < step ? len - at : step;
        char *copy = malloc(part);

        assert_non_null(copy);
        memcpy(copy, text + at, part);
        rc = sse_push(&sse, (struct span){ copy, part });
        free(copy);
    }
    if (!rc) {
        rc = sse_finish(&sse);
    }
    sse_deinit(&sse);
    return rc;
}

static void events_are_the_same_however_the_bytes_come(void **state)
{
    static const char *const cases[][2] = {
        { "data: a\n\ndata: b\n\n", "a|b|" },
        { "data: a\r\n\r\ndata: b\r\n\r\n", "a|b|" },
        { "data: a\r\rdata: b\r\r", "a|b|" },
        { "data: a\ndata: b\n\n", "a\nb|" },
        { "data: a\ndata: b\ndata: c\n\n", "a\nb\nc|" },
        { ": comment\nevent: x\nid: 7\nretry: 3\ndata:a\n\n", "a|" },
        { "data:  two spaces\n\n", " two spaces|" },
        { "data\n\n", "|" },
        { "data:\n\n", "|" },
        { "database: no\n\ndata: yes\n\n", "yes|" },
        { "\n\n\ndata: a\n\n\n\n", "a|" },
        { "data: unfinished\n", "unfinished|" },
        { "data: cut", "cut|" },
        { "event: nothing\n\n", "" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step < 40; step++) {
            struct seen seen = { 0 };

            assert_int_equal(parse(&seen, cases[i][0], step, 256), 0);
            assert_string_equal(seen.text, cases[i][1]);
        }
    }
}

static void a_byte_order_mark_is_skipped(void **state)
{
    struct seen seen = { 0 };

    (void)state;
    assert_int_equal(parse(&seen,
                           "\xef\xbb\xbf"
                           "data: a\n\n",
                           64, 256),
                     0);
    assert_string_equal(seen.text, "a|");
}

static void a_line_without_end_is_refused(void **state)
{
    char text[300];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    for (size_t step = 1; step < 300; step += 37) {
        struct seen seen = { 0 };

        assert_int_equal(parse(&seen, text, step, 128), SSE_E_TOO_BIG);
    }
}

static void an_event_of_many_lines_is_refused(void **state)
{
    char text[64 * 12 + 1] = "";
    struct seen seen = { 0 };

    (void)state;
    for (int i = 0; i < 64; i++) {
        (void)strcat(text, "data: 12345\n");
    }
    assert_int_equal(parse(&seen, text, 7, 128), SSE_E_TOO_BIG);
    assert_int_equal(parse(&seen, text, sizeof(text), 128), SSE_E_TOO_BIG);
}

static void the_callback_can_stop_it(void **state)
{
    struct seen seen = { .stop_at = 2 };

    (void)state;
    assert_int_equal(parse(&seen, "data: a\n\ndata: b\n\ndata: c\n\n", 5, 128), SSE_E_STOPPED);
    assert_string_equal(seen.text, "a|b|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_the_same_however_the_bytes_come),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(a_line_without_end_is_refused),
        cmocka_unit_test(an_event_of_many_lines_is_refused),
        cmocka_unit_test(the_callback_can_stop_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
