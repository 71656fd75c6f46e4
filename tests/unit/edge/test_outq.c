/* The queue of a connection: what is sent is what was queued, whatever is replaced or cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "edge/listener/outq.h"
#include "edge/listener/quota.h"
#include "edge/listener/ws_frame.h"

#define STAGE 64U

static void own_add(struct outq *queue, size_t len, char fill)
{
    outq_tidy(queue);
    assert_int_equal(text_buf_reserve(&queue->own, WS_HEAD_MAX + len), 0);
    ws_head_write((uint8_t *)queue->own.data + queue->own.len, WS_TEXT, len);
    queue->own.len += ws_head_len(len);
    memset(queue->own.data + queue->own.len, fill, len);
    queue->own.len += len;
}

static void share_add(struct outq *queue, struct outq_text *text, size_t text_len, const char *tail, uint64_t key)
{
    uint8_t head[WS_HEAD_MAX];
    size_t len = text_len + strlen(tail);

    ws_head_write(head, WS_TEXT, len);
    assert_int_equal(
        outq_share(queue, (struct span){ (const char *)head, ws_head_len(len) }, text, span_from(tail), key), 0);
}

/* Sends up to `max` bytes in steps of `step`. */
static void drain(struct outq *queue, size_t step, size_t max, struct text_buf *seen)
{
    char stage[STAGE];

    while (max > 0 && !outq_is_empty(queue)) {
        size_t want = step < max ? step : max;
        struct outq_run run = outq_peek(queue, stage, want);
        size_t before = outq_pending(queue);

        assert_true(run.len > 0 && run.len <= want);
        assert_int_equal(text_buf_add(seen, (struct span){ run.ptr, run.len }), 0);
        outq_consume(queue, run.len);
        assert_int_equal(outq_pending(queue), before - run.len);
        max -= run.len;
    }
}

/* The payloads of the frames in `seen`, each as "first character, length;". */
static void frames_read(struct text_buf *seen, char *text, size_t text_size)
{
    size_t at = 0;
    size_t len = 0;

    text[0] = '\0';
    while (at < seen->len) {
        const uint8_t *head = (const uint8_t *)seen->data + at;
        size_t payload = head[1] < 126 ? head[1] : (size_t)(head[2] << 8 | head[3]);
        size_t head_len = head[1] < 126 ? 2 : 4;

        assert_int_equal(head[0], 0x80 | WS_TEXT);
        len += (size_t)snprintf(text + len, text_size - len, "%c%zu;", seen->data[at + head_len], payload);
        at += head_len + payload;
    }
    assert_int_equal(at, seen->len);
}

static void sends_what_was_queued_in_order_at_any_step(void **state)
{
    (void)state;
    for (size_t step = 1; step <= STAGE; step++) {
        size_t live = 0;
        struct outq queue = { .sent = 0 };
        struct text_buf seen = { 0 };
        struct outq_text *text = outq_text_new(SPAN_LIT("ssssssssss"), &live);
        char got[256];

        own_add(&queue, 3, 'a');
        share_add(&queue, text, 10, "]", 0);
        share_add(&queue, text, 10, "", 0);
        own_add(&queue, 200, 'b');
        own_add(&queue, 1, 'c');
        share_add(&queue, text, 10, ",1]", 0);
        outq_text_drop(&text);
        assert_int_equal(live, 10);
        drain(&queue, step, SIZE_MAX, &seen);
        frames_read(&seen, got, sizeof(got));
        assert_string_equal(got, "a3;s11;s10;b200;c1;s13;");
        assert_int_equal(live, 0);
        assert_int_equal(outq_pending(&queue), 0);
        outq_deinit(&queue);
        text_buf_deinit(&seen);
    }
}

static void the_newest_of_a_key_takes_the_place_of_one_not_begun(void **state)
{
    size_t live = 0;
    struct outq queue = { .sent = 0 };
    struct text_buf seen = { 0 };
    struct outq_text *old = outq_text_new(SPAN_LIT("ooooo"), &live);
    struct outq_text *new = outq_text_new(SPAN_LIT("nnnnnnn"), &live);
    char got[256];

    (void)state;
    share_add(&queue, old, 5, "", 7);
    drain(&queue, 2, 2, &seen); /* the first has begun: it stays */
    share_add(&queue, old, 5, "", 7);
    share_add(&queue, old, 5, "", 8);
    share_add(&queue, new, 7, "", 7);
    outq_text_drop(&old);
    outq_text_drop(&new);
    drain(&queue, 5, SIZE_MAX, &seen);
    frames_read(&seen, got, sizeof(got));
    assert_string_equal(got, "o5;o5;n7;");
    assert_int_equal(live, 0);
    outq_deinit(&queue);
    text_buf_deinit(&seen);
}

static void a_cut_leaves_whole_frames_wherever_sending_stands(void **state)
{
    size_t all = 2 + 3 + 2 + 11 + 4 + 200 + 2 + 1 + 2 + 13;

    (void)state;
    for (size_t sent = 0; sent <= all; sent++) {
        size_t live = 0;
        struct outq queue = { .sent = 0 };
        struct text_buf seen = { 0 };
        struct outq_text *text = outq_text_new(SPAN_LIT("ssssssssss"), &live);
        char got[256];
        size_t before;

        assert_int_equal(text_buf_add(&queue.own, SPAN_LIT("HTTP")), 0);
        outq_frames_begin(&queue);
        drain(&queue, 4, 4, &seen);
        seen.len = 0;
        own_add(&queue, 3, 'a');
        share_add(&queue, text, 10, "]", 0);
        own_add(&queue, 200, 'b');
        own_add(&queue, 1, 'c');
        share_add(&queue, text, 10, ",1]", 0);
        outq_text_drop(&text);
        drain(&queue, 7, sent, &seen);
        outq_cut(&queue);
        assert_true(outq_pending(&queue) <= 204);
        own_add(&queue, 2, 'z');
        before = seen.len;
        drain(&queue, 64, SIZE_MAX, &seen);
        frames_read(&seen, got, sizeof(got));
        assert_non_null(strstr(got, "z2;"));
        assert_true(seen.len > before);
        outq_deinit(&queue);
        assert_int_equal(live, 0);
        text_buf_deinit(&seen);
    }
}

static void a_cut_gives_the_memory_back(void **state)
{
    struct outq queue = { .sent = 0 };
    struct text_buf seen = { 0 };

    (void)state;
    assert_int_equal(text_buf_add(&queue.own, SPAN_LIT("HTTP")), 0);
    outq_frames_begin(&queue);
    for (unsigned i = 0; i < 4000; i++) {
        own_add(&queue, 100, 'a');
    }
    drain(&queue, 64, 150000, &seen);
    own_add(&queue, 100, 'a'); /* what was sent is given up, in the middle of a frame */
    assert_true(outq_pending(&queue) < outq_cost(&queue));
    outq_cut(&queue);
    assert_true(outq_cost(&queue) < 1024);
    outq_deinit(&queue);
    text_buf_deinit(&seen);
}

static void a_released_buffer_can_be_used_again(void **state)
{
    struct outq queue = { .sent = 0 };
    struct text_buf seen = { 0 };
    char got[256];

    (void)state;
    assert_int_equal(text_buf_add(&queue.own, SPAN_LIT("HTTP")), 0);
    outq_frames_begin(&queue);
    own_add(&queue, 5, 'a');
    drain(&queue, 64, SIZE_MAX, &seen);
    queue.own = outq_release(&queue);
    seen.len = 0;
    own_add(&queue, 6, 'b');
    own_add(&queue, 7, 'c');
    drain(&queue, 3, 3, &seen);
    outq_cut(&queue);
    drain(&queue, 64, SIZE_MAX, &seen);
    frames_read(&seen, got, sizeof(got));
    assert_string_equal(got, "b6;");
    outq_deinit(&queue);
    text_buf_deinit(&seen);
}

static void a_principal_has_one_row_for_all_its_connections(void **state)
{
    struct quota_table table = { { NULL } };
    struct quota *one = quota_take(&table, SPAN_LIT("a"));
    struct quota *two = quota_take(&table, SPAN_LIT("a"));
    struct quota *other = quota_take(&table, SPAN_LIT("b"));

    (void)state;
    assert_ptr_equal(one, two);
    assert_ptr_not_equal(one, other);
    one->bytes = 5;
    quota_drop(&table, &one);
    assert_null(one);
    assert_int_equal(two->bytes, 5);
    quota_drop(&table, &two);
    quota_drop(&table, &other);
    quota_drop(&table, &other);
    one = quota_take(&table, SPAN_LIT("a"));
    assert_int_equal(one->bytes, 0);
    quota_drop(&table, &one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_what_was_queued_in_order_at_any_step),
        cmocka_unit_test(the_newest_of_a_key_takes_the_place_of_one_not_begun),
        cmocka_unit_test(a_cut_leaves_whole_frames_wherever_sending_stands),
        cmocka_unit_test(a_cut_gives_the_memory_back),
        cmocka_unit_test(a_released_buffer_can_be_used_again),
        cmocka_unit_test(a_principal_has_one_row_for_all_its_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
