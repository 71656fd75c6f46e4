#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/frame.h"
#include "bus/park.h"

static void message_push(struct park *park, const char *text)
{
    zmq_msg_t header;
    zmq_msg_t body;

    assert_int_equal(frame_copy(SPAN_LIT("head"), &header), 0);
    assert_int_equal(frame_copy(span_from(text), &body), 0);
    park_push(park, ENVELOPE_PUBLISH, &header, &body);
}

static void message_expect(struct park *park, const char *text)
{
    CLEANUP(park_item_destroy) struct park_item *item = park_pop(park);

    assert_non_null(item);
    assert_null(item->gap);
    assert_int_equal(zmq_msg_size(&item->body), strlen(text));
    assert_memory_equal(zmq_msg_data(&item->body), text, strlen(text));
}

static void gap_expect(struct park *park, const char *topic, uint64_t lost, uint64_t dropped)
{
    CLEANUP(park_item_destroy) struct park_item *item = park_pop(park);

    assert_non_null(item);
    assert_non_null(item->gap);
    assert_true(span_is_text((struct span){ item->gap->topic, item->gap->len }, topic));
    assert_int_equal(item->gap->lost, lost);
    assert_int_equal(item->gap->dropped, dropped);
}

static void counts_what_waits(void **state)
{
    struct park park;

    (void)state;
    park_init(&park);
    message_push(&park, "one");
    message_push(&park, "three");
    park_gap_add(&park, SPAN_LIT("t"), 1, 0);
    assert_int_equal(park.msgs, 2);
    assert_int_equal(park.bytes, 4 + 3 + 4 + 5);
    message_expect(&park, "one");
    message_expect(&park, "three");
    assert_int_equal(park.msgs, 0);
    assert_int_equal(park.bytes, 0);
    gap_expect(&park, "t", 1, 0);
    assert_null(park_pop(&park));
}

static void a_gap_stands_between_the_messages_around_it(void **state)
{
    struct park park;

    (void)state;
    park_init(&park);
    park_gap_add(&park, SPAN_LIT("a"), 1, 0);
    park_gap_add(&park, SPAN_LIT("b"), 0, 2);
    park_gap_add(&park, SPAN_LIT("a"), 3, 1);
    message_push(&park, "x");
    park_gap_add(&park, SPAN_LIT("a"), 1, 0);
    gap_expect(&park, "a", 4, 1);
    gap_expect(&park, "b", 0, 2);
    message_expect(&park, "x");
    gap_expect(&park, "a", 1, 0);
    assert_null(park_pop(&park));
}

static void a_gap_whose_first_part_has_left_counts_on(void **state)
{
    struct park park;

    (void)state;
    park_init(&park);
    park_gap_add(&park, SPAN_LIT("a"), 1, 0);
    park_gap_add(&park, SPAN_LIT("b"), 1, 0);
    gap_expect(&park, "a", 1, 0);
    park_gap_add(&park, SPAN_LIT("b"), 1, 0);
    park_gap_add(&park, SPAN_LIT("a"), 5, 0);
    gap_expect(&park, "b", 2, 0);
    gap_expect(&park, "a", 5, 0);
    park_gap_add(&park, SPAN_LIT("c"), 1, 0);
    gap_expect(&park, "c", 1, 0);
    assert_null(park_pop(&park));
}

static void what_still_waits_is_freed(void **state)
{
    struct park park;

    (void)state;
    park_init(&park);
    message_push(&park, "x");
    park_gap_add(&park, SPAN_LIT("a"), 1, 0);
    park_deinit(&park);
    assert_null(park.head);
    assert_int_equal(park.bytes, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_waits),
        cmocka_unit_test(a_gap_stands_between_the_messages_around_it),
        cmocka_unit_test(a_gap_whose_first_part_has_left_counts_on),
        cmocka_unit_test(what_still_waits_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
