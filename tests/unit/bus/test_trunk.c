#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/frame.h"
#include "bus/json.h"
#include "bus/trunk.h"
#include "bus/trunk_session.h"

/* --- heads and greetings ----------------------------------------------------------------- */

static void a_head_is_read_as_it_was_written(void **state)
{
    uint8_t bytes[TRUNK_HEAD_LEN];
    struct trunk_head out;

    (void)state;
    trunk_head_encode(&(struct trunk_head){ .kind = TRUNK_DATA, .number = 1ULL << 40, .seen = 7 }, bytes);
    assert_true(trunk_head_decode((struct span){ (const char *)bytes, sizeof(bytes) }, &out));
    assert_int_equal(out.kind, TRUNK_DATA);
    assert_int_equal(out.number, 1ULL << 40);
    assert_int_equal(out.seen, 7);
}

static void a_head_of_another_length_kind_or_number_is_refused(void **state)
{
    uint8_t bytes[TRUNK_HEAD_LEN + 1] = { 0 };
    struct trunk_head out;

    (void)state;
    trunk_head_encode(&(struct trunk_head){ .kind = TRUNK_BEAT }, bytes);
    assert_true(trunk_head_decode((struct span){ (const char *)bytes, TRUNK_HEAD_LEN }, &out));
    assert_false(trunk_head_decode((struct span){ (const char *)bytes, TRUNK_HEAD_LEN + 1 }, &out));
    assert_false(trunk_head_decode((struct span){ (const char *)bytes, TRUNK_HEAD_LEN - 1 }, &out));
    bytes[0] = TRUNK_DATA; /* without a number */
    assert_false(trunk_head_decode((struct span){ (const char *)bytes, TRUNK_HEAD_LEN }, &out));
    bytes[0] = TRUNK_KIND_MAX + 1;
    assert_false(trunk_head_decode((struct span){ (const char *)bytes, TRUNK_HEAD_LEN }, &out));
    bytes[0] = 0;
    assert_false(trunk_head_decode((struct span){ (const char *)bytes, TRUNK_HEAD_LEN }, &out));
}

static void greetings_are_read_as_they_were_written(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct trunk_hello hello = { .speaks = { 1, 3 },
                                 .host = "agents",
                                 .session = INT64_MAX,
                                 .seen = 9,
                                 .release = "9.1",
                                 .actors = "agent/a agent/b-*" };
    struct trunk_welcome welcome = { .wire = TRUNK_WIRE, .incarnation = 4, .session = 5, .seen = 6, .release = "9.2" };
    struct trunk_refused refused = { .reason = "no", .is_final = true, .code = TRUNK_NO_DENIED, .speaks = { 1, 2 } };
    struct trunk_hello hello_out;
    struct trunk_welcome welcome_out;
    struct trunk_refused refused_out;
    struct trunk_hangs hangs = { .actor = "agent/main", .is_on = true };
    struct trunk_hangs hangs_out;

    (void)state;
    pack_init(&pack, TRUNK_BODY_MAX);
    trunk_hangs_pack(&hangs, &pack);
    assert_true(trunk_hangs_read(pack_span(&pack), &hangs_out));
    assert_string_equal(hangs_out.actor, hangs.actor);
    assert_int_equal(hangs_out.is_on, hangs.is_on);
    assert_false(trunk_welcome_read(pack_span(&pack), &welcome_out));
    pack_reset(&pack);
    trunk_hello_pack(&hello, &pack);
    assert_true(trunk_hello_read(pack_span(&pack), &hello_out));
    assert_memory_equal(&hello_out.speaks, &hello.speaks, sizeof(hello.speaks));
    assert_string_equal(hello_out.host, hello.host);
    assert_int_equal(hello_out.session, hello.session);
    assert_int_equal(hello_out.seen, hello.seen);
    assert_string_equal(hello_out.release, hello.release);
    assert_string_equal(hello_out.actors, hello.actors);
    assert_false(trunk_welcome_read(pack_span(&pack), &welcome_out));
    pack_reset(&pack);
    trunk_welcome_pack(&welcome, &pack);
    assert_true(trunk_welcome_read(pack_span(&pack), &welcome_out));
    assert_int_equal(welcome_out.wire, welcome.wire);
    assert_int_equal(welcome_out.incarnation, welcome.incarnation);
    assert_int_equal(welcome_out.session, welcome.session);
    assert_int_equal(welcome_out.seen, welcome.seen);
    assert_string_equal(welcome_out.release, welcome.release);
    assert_false(trunk_hello_read(pack_span(&pack), &hello_out));
    pack_reset(&pack);
    trunk_refused_pack(&refused, &pack);
    assert_true(trunk_refused_read(pack_span(&pack), &refused_out));
    assert_string_equal(refused_out.reason, "no");
    assert_int_equal(refused_out.is_final, refused.is_final);
    assert_int_equal(refused_out.code, refused.code);
    assert_memory_equal(&refused_out.speaks, &refused.speaks, sizeof(refused.speaks));
}

static struct span text_pack(const char *json, struct pack *pack)
{
    pack_reset(pack);
    assert_int_equal(json_to_pack(span_from(json), &(struct json_opts){ 0 }, pack, NULL), 0);
    return pack_span(pack);
}

/* As the release before says them, and as one to come may. */
static void greetings_of_another_version_are_read_as_far_as_they_are_known(void **state)
{
    CLEANUP(pack_deinit) struct pack pack;
    struct trunk_hello hello;
    struct trunk_welcome welcome;
    struct trunk_refused refused;

    (void)state;
    pack_init(&pack, TRUNK_BODY_MAX);
    assert_true(
        trunk_hello_read(text_pack("{\"least\":1,\"most\":1,\"host\":\"a\",\"session\":0,\"seen\":0}", &pack), &hello));
    assert_string_equal(hello.release, "");
    assert_true(trunk_hello_read(text_pack("{\"least\":2,\"most\":3,\"host\":\"a\",\"session\":0,\"seen\":0,"
                                           "\"release\":7,\"news\":[1]}",
                                           &pack),
                                 &hello));
    assert_string_equal(hello.release, "");
    assert_true(trunk_hello_read(text_pack("{\"least\":2,\"most\":3,\"host\":\"a\",\"session\":0,\"seen\":0,"
                                           "\"release\":\"9 pid=1\"}",
                                           &pack),
                                 &hello));
    assert_string_equal(hello.release, ""); /* it is for a log */
    assert_true(
        trunk_welcome_read(text_pack("{\"wire\":1,\"incarnation\":1,\"session\":1,\"seen\":0}", &pack), &welcome));
    assert_true(trunk_refused_read(text_pack("{\"reason\":\"no\",\"final\":true}", &pack), &refused));
    assert_int_equal(refused.code, TRUNK_NO_UNSAID);
    assert_int_equal(refused.speaks.most, 0);
    assert_true(
        trunk_refused_read(text_pack("{\"reason\":\"no\",\"code\":99,\"least\":3,\"most\":2}", &pack), &refused));
    assert_int_equal(refused.code, TRUNK_NO_UNSAID);
    assert_int_equal(refused.speaks.most, 0);
}

static void a_range_is_what_this_release_speaks_or_none(void **state)
{
    struct trunk_range range = { 9, 9 };

    (void)state;
    assert_true(trunk_range_read("1", &range));
    assert_int_equal(range.least, 1);
    assert_int_equal(range.most, 1);
    assert_true(trunk_range_read("1-2", &range));
    assert_int_equal(range.most, 2);
    for (const char *const *text =
             (const char *const[]){ "", "0", "3", "2-1", "1-3", "1-", "-1", "1 ", "+1", "x", NULL };
         *text; text++) {
        assert_false(trunk_range_read(*text, &range));
    }
    assert_int_equal(range.most, 2); /* as it was */
}

static void versions_meet_at_the_newest_that_both_speak_or_not_at_all(void **state)
{
    char reason[TRUNK_REASON_MAX];

    (void)state;
    static const struct {
        struct trunk_range gateway;
        struct trunk_range host;
        uint32_t wire;
        const char *says;
    } rows[] = {
        { { 1, 2 }, { 1, 2 }, 2, "" },
        { { 1, 2 }, { 2, 3 }, 2, "" }, /* a newer host */
        { { 1, 2 }, { 1, 1 }, 1, "" }, /* an older one */
        { { 1, 1 }, { 1, 2 }, 1, "" },
        { { 2, 3 }, { 1, 2 }, 2, "" },
        { { 1, 2 },
          { 3, 4 },
          0,
          "the host speaks versions 3 to 4 of the bus between machines, the gateway 1 to 2: update OpenClaw on the "
          "gateway's machine" },
        { { 3, 4 }, { 1, 2 }, 0, "update OpenClaw on the host's machine" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        reason[0] = '\0';
        assert_int_equal(trunk_wire_choose(&rows[i].gateway, &rows[i].host, reason), rows[i].wire);
        assert_true(rows[i].says[0] ? strstr(reason, rows[i].says) != NULL : !reason[0]);
    }
}

/* --- the session --------------------------------------------------------------------------- */

static const struct trunk_item *push(struct trunk_session *session, size_t body_len)
{
    zmq_msg_t header;
    zmq_msg_t body;
    const struct trunk_item *item;

    assert_int_equal(frame_copy(SPAN_LIT("header"), &header), 0);
    assert_int_equal(zmq_msg_init_size(&body, body_len), 0);
    item = trunk_session_push(session, &header, &body);
    assert_int_equal(zmq_msg_close(&header), 0);
    assert_int_equal(zmq_msg_close(&body), 0);
    return item;
}

static void what_is_sent_is_kept_in_order_until_it_is_acknowledged(void **state)
{
    struct trunk_session session;
    uint64_t number = 3;

    (void)state;
    trunk_session_init(&session, 1);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(push(&session, 10)->number, i);
    }
    assert_true(trunk_session_on_seen(&session, 2));
    for (const struct trunk_item *item = session.head; item; item = item->next) {
        assert_int_equal(item->number, number++);
    }
    assert_int_equal(number, 6);
    assert_true(trunk_session_on_seen(&session, 1)); /* an older word says nothing new */
    assert_int_equal(session.msgs, 3);
    assert_true(trunk_session_on_seen(&session, 5));
    assert_int_equal(session.msgs, 0);
    assert_int_equal(session.bytes, 0);
    assert_int_equal(push(&session, 10)->number, 6);
    trunk_session_deinit(&session);
}

static void nobody_can_have_heard_what_was_not_said(void **state)
{
    struct trunk_session session;

    (void)state;
    trunk_session_init(&session, 1);
    (void)push(&session, 1);
    assert_false(trunk_session_on_seen(&session, 2));
    assert_int_equal(session.msgs, 1);
    trunk_session_deinit(&session);
}

static void each_number_is_let_in_once_and_none_is_left_out(void **state)
{
    struct trunk_session session;

    (void)state;
    trunk_session_init(&session, 1);
    assert_int_equal(trunk_session_on_data(&session, 1, 1), TRUNK_SESSION_NEW);
    assert_int_equal(trunk_session_on_data(&session, 2, 1), TRUNK_SESSION_NEW);
    assert_int_equal(trunk_session_on_data(&session, 1, 1), TRUNK_SESSION_TWICE);
    assert_int_equal(trunk_session_on_data(&session, 2, 1), TRUNK_SESSION_TWICE);
    assert_int_equal(trunk_session_on_data(&session, 4, 1), TRUNK_SESSION_BROKEN);
    assert_int_equal(trunk_session_on_data(&session, 3, 1), TRUNK_SESSION_NEW);
    assert_int_equal(trunk_session_tell(&session), 3);
    trunk_session_deinit(&session);
}

static void much_is_acknowledged_without_waiting_for_something_to_say(void **state)
{
    struct trunk_session session;

    (void)state;
    trunk_session_init(&session, 1);
    for (uint64_t i = 1; i < TRUNK_SESSION_ACK_MSGS; i++) {
        assert_int_equal(trunk_session_on_data(&session, i, 1), TRUNK_SESSION_NEW);
        assert_false(trunk_session_owes(&session));
    }
    assert_int_equal(trunk_session_on_data(&session, TRUNK_SESSION_ACK_MSGS, 1), TRUNK_SESSION_NEW);
    assert_true(trunk_session_owes(&session));
    (void)trunk_session_tell(&session);
    assert_false(trunk_session_owes(&session));
    assert_int_equal(trunk_session_on_data(&session, TRUNK_SESSION_ACK_MSGS + 1, TRUNK_SESSION_ACK_BYTES),
                     TRUNK_SESSION_NEW);
    assert_true(trunk_session_owes(&session));
    trunk_session_deinit(&session);
}

static void it_is_full_by_bytes_and_has_room_again_when_they_are_acknowledged(void **state)
{
    struct trunk_session session;
    uint64_t pushed = 0;

    (void)state;
    trunk_session_init(&session, 1);
    while (!trunk_session_is_full(&session)) {
        pushed = push(&session, 4 * 1024 * 1024)->number;
    }
    assert_in_range(pushed, 7, 8);
    assert_true(trunk_session_on_seen(&session, 1));
    assert_false(trunk_session_is_full(&session));
    trunk_session_deinit(&session);
}

/* The oracle of the whole thing: connections that break at any point, on both sides. */
static void whatever_breaks_when_everything_arrives_once_and_in_order(void **state)
{
    (void)state;
    for (unsigned break_at = 1; break_at <= 40; break_at++) {
        struct trunk_session from;
        struct trunk_session to;
        uint64_t heard = 0;
        unsigned steps = 0;

        trunk_session_init(&from, 1);
        trunk_session_init(&to, 1);
        for (unsigned i = 0; i < 20; i++) {
            (void)push(&from, i);
        }
        while (from.head) {
            /* A connection begins: what the other side has seen is told, the rest said again, until it breaks. */
            assert_true(trunk_session_on_seen(&from, to.seen));
            for (const struct trunk_item *item = from.head; item && ++steps % break_at; item = item->next) {
                if (trunk_session_on_data(&to, item->number, item->bytes) == TRUNK_SESSION_NEW) {
                    assert_int_equal(item->number, ++heard);
                }
            }
            if (break_at == 1) { /* nothing ever arrives */
                break;
            }
        }
        assert_int_equal(heard, break_at == 1 ? 0 : 20);
        trunk_session_deinit(&from);
        trunk_session_deinit(&to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_read_as_it_was_written),
        cmocka_unit_test(a_head_of_another_length_kind_or_number_is_refused),
        cmocka_unit_test(greetings_are_read_as_they_were_written),
        cmocka_unit_test(greetings_of_another_version_are_read_as_far_as_they_are_known),
        cmocka_unit_test(a_range_is_what_this_release_speaks_or_none),
        cmocka_unit_test(versions_meet_at_the_newest_that_both_speak_or_not_at_all),
        cmocka_unit_test(what_is_sent_is_kept_in_order_until_it_is_acknowledged),
        cmocka_unit_test(nobody_can_have_heard_what_was_not_said),
        cmocka_unit_test(each_number_is_let_in_once_and_none_is_left_out),
        cmocka_unit_test(much_is_acknowledged_without_waiting_for_something_to_say),
        cmocka_unit_test(it_is_full_by_bytes_and_has_room_again_when_they_are_acknowledged),
        cmocka_unit_test(whatever_breaks_when_everything_arrives_once_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
