#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/actor_internal.h"

static struct topic_pub pub_a;
static struct topic_pub pub_b;
static struct link link_c;

static void event_push(struct outbox *outbox, struct topic_pub *pub)
{
    zmq_msg_t body;

    assert_int_equal(frame_copy(SPAN_LIT("event"), &body), 0);
    outbox_event_push(outbox, pub, (struct trace_id){ 1, 2 }, false, &body);
}

static void msg_push(struct outbox *outbox, bool is_bounded)
{
    zmq_msg_t header;
    zmq_msg_t body;

    assert_int_equal(frame_copy(SPAN_LIT("head"), &header), 0);
    assert_int_equal(frame_copy(SPAN_LIT("body"), &body), 0);
    outbox_msg_push(outbox, &link_c, is_bounded, &header, &body);
}

static void gap_expect(struct outbox *outbox, struct topic_pub *pub, uint64_t lost, uint64_t dropped)
{
    CLEANUP(outbox_item_destroy) struct outbox_item *item = outbox_pop(outbox);

    assert_non_null(item);
    assert_true(item->is_gap);
    assert_ptr_equal(item->pub, pub);
    assert_int_equal(item->lost, lost);
    assert_int_equal(item->dropped, dropped);
}

static void keeps_the_order_of_all_that_was_said(void **state)
{
    struct outbox outbox;

    (void)state;
    outbox_init(&outbox);
    event_push(&outbox, &pub_a);
    msg_push(&outbox, false);
    event_push(&outbox, &pub_b);
    struct outbox_item *first = outbox_pop(&outbox);
    assert_ptr_equal(first->pub, &pub_a);
    assert_int_equal(first->trace.lo, 2);
    struct outbox_item *second = outbox_pop(&outbox);
    assert_ptr_equal(second->link, &link_c);
    assert_int_equal(zmq_msg_size(&second->header), 4);
    struct outbox_item *third = outbox_pop(&outbox);
    assert_ptr_equal(third->pub, &pub_b);
    assert_null(outbox_pop(&outbox));
    outbox_item_destroy(&first);
    outbox_item_destroy(&second);
    outbox_item_destroy(&third);
}

static void counts_gaps_where_they_belong(void **state)
{
    struct outbox outbox;

    (void)state;
    outbox_init(&outbox);
    outbox_gap_add(&outbox, &pub_a, false);
    outbox_gap_add(&outbox, &pub_b, true);
    outbox_gap_add(&outbox, &pub_a, false);
    msg_push(&outbox, false);
    outbox_gap_add(&outbox, &pub_a, true);
    gap_expect(&outbox, &pub_a, 2, 0);
    gap_expect(&outbox, &pub_b, 0, 1);
    struct outbox_item *msg = outbox_pop(&outbox);
    assert_ptr_equal(msg->link, &link_c);
    outbox_item_destroy(&msg);
    gap_expect(&outbox, &pub_a, 0, 1);
    outbox_deinit(&outbox);
}

static void is_full_of_what_is_bounded_alone(void **state)
{
    struct outbox outbox;

    (void)state;
    outbox_init(&outbox);
    for (int i = 0; i < 5000; i++) {
        msg_push(&outbox, false);
    }
    assert_false(outbox_is_full(&outbox));
    for (int i = 0; i < 4096; i++) {
        assert_false(outbox_is_full(&outbox));
        msg_push(&outbox, true);
    }
    assert_true(outbox_is_full(&outbox));
    outbox_deinit(&outbox);
    assert_int_equal(outbox.msgs, 0);
    assert_int_equal(outbox.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order_of_all_that_was_said),
        cmocka_unit_test(counts_gaps_where_they_belong),
        cmocka_unit_test(is_full_of_what_is_bounded_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
