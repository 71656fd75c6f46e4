#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus/mailbox.h"

static int push_flagged(struct mailbox *mailbox, enum envelope_kind kind, const char *name, uint32_t flags)
{
    struct mail *mail = mailbox_mail_new(mailbox);

    mail->env = (struct envelope){ .kind = kind, .name = span_from(name), .flags = flags };
    mail->bytes = 10;
    int r = mailbox_push(mailbox, &mail);
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_mailbox_admits_answers_and_the_words_of_the_bus),
        cmocka_unit_test(a_full_mailbox_admits_what_is_told_once),
        cmocka_unit_test(bytes_are_a_limit_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
