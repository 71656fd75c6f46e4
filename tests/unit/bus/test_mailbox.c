#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/mailbox.h"

static int push_to(struct mailbox *mailbox, struct mailbox_lane *lane, uint64_t id)
{
    struct mail *mail = mailbox_mail_new(mailbox);

    mail->env = (struct envelope){ .kind = ENVELOPE_REPLY, .id = id };
    mail->bytes = 10;
    return mailbox_push(mailbox, lane, &mail);
}

/* The id of the next mail; 0: nothing waits. */
static uint64_t pop(struct mailbox *mailbox)
{
    struct mail *mail = mailbox_pop(mailbox);
    uint64_t id = mail ? mail->env.id : 0;

    if (mail) {
        mailbox_recycle(mailbox, &mail);
    }
    return id;
}

static struct mailbox_lane one; /* of all mail below that says nothing else */

static int push_flagged(struct mailbox *mailbox, enum envelope_kind kind, const char *name, uint32_t flags)
{
    struct mail *mail = mailbox_mail_new(mailbox);

    mail->env = (struct envelope){ .kind = kind, .name = span_from(name), .flags = flags };
    mail->bytes = 10;
    int r = mailbox_push(mailbox, &one, &mail);
    if (r) {
        mailbox_recycle(mailbox, &mail);
    }
    return r;
}

static int push(struct mailbox *mailbox, enum envelope_kind kind, const char *name)
{
    return push_flagged(mailbox, kind, name, 0);
}

static void a_full_mailbox_admits_answers_and_the_words_of_the_bus(void **state)
{
    struct mailbox mailbox;

    (void)state;
    mailbox_init(&mailbox, 2, 1000);
    assert_int_equal(push(&mailbox, ENVELOPE_CAST, "note"), 0);
    assert_int_equal(push(&mailbox, ENVELOPE_PUBLISH, "event"), 0);
    assert_int_equal(push(&mailbox, ENVELOPE_CAST, "note"), MAILBOX_E_FULL);
    assert_int_equal(push(&mailbox, ENVELOPE_PUBLISH, "event"), MAILBOX_E_FULL);
    assert_int_equal(push(&mailbox, ENVELOPE_CALL, "ping"), MAILBOX_E_FULL);
    assert_int_equal(mailbox.refused, 3);
    assert_int_equal(push(&mailbox, ENVELOPE_REPLY, "ping"), 0);
    assert_int_equal(push(&mailbox, ENVELOPE_CAST, "bus.entry"), 0);
    assert_int_equal(push(&mailbox, ENVELOPE_CAST, "bus.gap"), 0);
    assert_int_equal(push(&mailbox, ENVELOPE_PUBLISH, "bus.dead_letters"), MAILBOX_E_FULL);
    mailbox_deinit(&mailbox);
}

static void a_full_mailbox_admits_what_is_told_once(void **state)
{
    struct mailbox mailbox;

    (void)state;
    mailbox_init(&mailbox, 1, 1000);
    assert_int_equal(push(&mailbox, ENVELOPE_CAST, "note"), 0);
    assert_int_equal(push_flagged(&mailbox, ENVELOPE_CAST, "node_leave", ENVELOPE_LASTING), 0);
    assert_int_equal(push_flagged(&mailbox, ENVELOPE_CALL, "ping", ENVELOPE_LASTING), MAILBOX_E_FULL);
    mailbox_deinit(&mailbox);
}

static void bytes_are_a_limit_of_their_own(void **state)
{
    struct mailbox mailbox;

    (void)state;
    mailbox_init(&mailbox, 100, 15);
    assert_int_equal(push(&mailbox, ENVELOPE_CAST, "note"), 0);
    assert_int_equal(push(&mailbox, ENVELOPE_CAST, "note"), 0); /* may overdraw once */
    assert_int_equal(push(&mailbox, ENVELOPE_CAST, "note"), MAILBOX_E_FULL);
    mailbox_deinit(&mailbox);
}

static void what_one_sender_has_sent_keeps_its_order(void **state)
{
    struct mailbox mailbox;
    struct mailbox_lane lane = { 0 };

    (void)state;
    mailbox_init(&mailbox, 100, 100000);
    for (uint64_t id = 1; id <= 50; id++) {
        assert_int_equal(push_to(&mailbox, &lane, id), 0);
    }
    for (uint64_t id = 1; id <= 50; id++) {
        assert_int_equal(pop(&mailbox), id);
    }
    assert_int_equal(pop(&mailbox), 0);
    assert_int_equal(mailbox.msgs, 0);
    assert_int_equal(mailbox.bytes, 0);
    assert_int_equal(push_to(&mailbox, &lane, 51), 0);
    assert_int_equal(pop(&mailbox), 51);
    mailbox_deinit(&mailbox);
}

static void one_with_much_to_say_keeps_nobody_waiting(void **state)
{
    struct mailbox mailbox;
    struct mailbox_lane much = { 0 };
    struct mailbox_lane little = { 0 };
    uint64_t newest = 0;
    unsigned popped = 0;

    (void)state;
    mailbox_init(&mailbox, 10000, 1000000);
    for (uint64_t id = 1; id <= 1000; id++) {
        assert_int_equal(push_to(&mailbox, &much, id), 0);
    }
    assert_int_equal(pop(&mailbox), 1);
    assert_int_equal(push_to(&mailbox, &little, 5000), 0);
    for (uint64_t id = pop(&mailbox); id != 5000; id = pop(&mailbox)) {
        assert_true(++popped < 20);
        newest = id;
    }
    assert_int_equal(push_to(&mailbox, &little, 5001), 0); /* and it does not go on without the others */
    assert_int_equal(pop(&mailbox), newest + 1);
    mailbox_deinit(&mailbox);
}

static void the_patient_overtake_nothing(void **state)
{
    struct mailbox mailbox;
    struct mailbox_lane patient = { .is_patient = true };
    struct mailbox_lane lanes[2] = { 0 };
    uint64_t seen[2] = { 0 };

    (void)state;
    mailbox_init(&mailbox, 10000, 1000000);
    for (uint64_t id = 1; id <= 100; id++) {
        assert_int_equal(push_to(&mailbox, &lanes[id % 2], id), 0);
    }
    assert_int_equal(push_to(&mailbox, &patient, 1000), 0);
    for (uint64_t id = 101; id <= 200; id++) {
        assert_int_equal(push_to(&mailbox, &lanes[id % 2], id), 0);
    }
    for (uint64_t id = pop(&mailbox); id != 1000; id = pop(&mailbox)) {
        assert_true(id > seen[id % 2]);
        seen[id % 2] = id;
    }
    assert_int_equal(seen[0] >= 100 && seen[1] >= 99, 1);
    assert_true(mailbox.msgs > 0); /* it has waited for what was there before, not for the rest */
    mailbox_deinit(&mailbox);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_mailbox_admits_answers_and_the_words_of_the_bus),
        cmocka_unit_test(a_full_mailbox_admits_what_is_told_once),
        cmocka_unit_test(bytes_are_a_limit_of_their_own),
        cmocka_unit_test(what_one_sender_has_sent_keeps_its_order),
        cmocka_unit_test(one_with_much_to_say_keeps_nobody_waiting),
        cmocka_unit_test(the_patient_overtake_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
