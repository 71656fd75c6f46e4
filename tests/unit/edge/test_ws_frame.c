#include "edge/listener/ws_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

struct wire {
    uint8_t data[200000];
    size_t len;
};

static struct wire wire;

/* A frame as a client sends it. */
static void frame_add(uint8_t first, const void *payload, size_t len)
{
    static const uint8_t mask[4] = { 0xa1, 0x02, 0xff, 0x40 };
    uint8_t *at = wire.data + wire.len;
    size_t head = ws_head_len(len);

    ws_head_write(at, WS_TEXT, len);
    at[0] = first;
    at[1] |= 0x80U;
    memcpy(at + head, mask, 4);
    memcpy(at + head + 4, payload, len);
    ws_unmask(at + head + 4, len, mask, 0);
    wire.len += head + 4 + len;
}

static int next(struct ws_reader *reader, struct ws_event *event, size_t *ret_used)
{
    size_t need = 0;

    return ws_reader_next(reader, wire.data, wire.len, ret_used, &need, event);
}

static void writes_heads_of_every_length(void **state)
{
    static const struct {
        size_t len;
        size_t head;
    } cases[] = { { 0, 2 }, { 125, 2 }, { 126, 4 }, { 65535, 4 }, { 65536, 10 } };
    uint8_t head[WS_HEAD_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(ws_head_len(cases[i].len), cases[i].head);
    }
    ws_head_write(head, WS_TEXT, 65536);
    assert_memory_equal(head, "\x81\x7f\0\0\0\0\0\1\0\0", 10);
    ws_head_write(head, WS_CLOSE, 2);
    assert_memory_equal(head, "\x88\x02", 2);
}

static void reads_messages_of_every_length_and_unmasks_them(void **state)
{
    static const size_t lens[] = { 0, 1, 7, 8, 125, 126, 65535, 65536 };
    static char text[65536];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct ws_reader reader = { .message_max = 65536 };
        struct ws_event event;
        size_t used;

        wire.len = 0;
        frame_add(0x81, text, lens[i]);
        assert_int_equal(next(&reader, &event, &used), WS_E_EVENT);
        assert_int_equal(used, wire.len);
        assert_int_equal(event.opcode, WS_TEXT);
        assert_int_equal(event.data.len, lens[i]);
        assert_memory_equal(event.data.ptr, text, lens[i]);
    }
}

static void waits_for_the_rest_and_says_how_much_it_needs(void **state)
{
    struct ws_reader reader = { .message_max = 65536 };
    struct ws_event event;
    size_t used;
    size_t need;

    (void)state;
    wire.len = 0;
    frame_add(0x81, "hello", 5);
    for (size_t len = 0; len < 11; len++) {
        assert_int_equal(ws_reader_next(&reader, wire.data, len, &used, &need, &event), WS_E_MORE);
        assert_int_equal(used, 0);
        assert_int_equal(need, len < 6 ? 14 : 11);
    }
}

static void joins_fragments_around_a_control_frame(void **state)
{
    struct ws_reader reader = { .message_max = 65536 };
    struct ws_event event;
    size_t used;

    (void)state;
    wire.len = 0;
    frame_add(0x01, "he", 2);
    frame_add(0x00, "ll", 2);
    frame_add(0x89, "p", 1);
    frame_add(0x80, "o", 1);
    assert_int_equal(next(&reader, &event, &used), WS_E_EVENT);
    assert_int_equal(event.opcode, WS_PING);
    assert_true(span_is(event.data, SPAN_LIT("p")));
    memmove(wire.data, wire.data + used, wire.len - used);
    wire.len -= used;
    assert_int_equal(next(&reader, &event, &used), WS_E_EVENT);
    assert_int_equal(event.opcode, WS_TEXT);
    assert_true(span_is(event.data, SPAN_LIT("hello")));
    ws_reader_deinit(&reader);
}

static void refuses(uint8_t first, const void *payload, size_t len, unsigned code)
{
    struct ws_reader reader = { .message_max = 100 };
    struct ws_event event;
    size_t used;

    wire.len = 0;
    frame_add(first, payload, len);
    assert_int_equal(next(&reader, &event, &used), WS_E_REFUSED);
    assert_int_equal(event.code, code);
    assert_true(strlen(event.why) <= WS_REASON_MAX);
    assert_true(strncmp(event.why,
                        code == WS_CODE_PROTOCOL ? "protocol error: "
                        : code == WS_CODE_TEXT   ? "invalid UTF-8"
                                                 : "payload too large",
                        13) == 0);
    ws_reader_deinit(&reader);
}

static void refuses_what_the_protocol_forbids(void **state)
{
    static char text[126];

    (void)state;
    refuses(0xc1, "x", 1, WS_CODE_PROTOCOL); /* a reserved bit: no extension was agreed on */
    refuses(0x83, "x", 1, WS_CODE_PROTOCOL); /* a reserved opcode */
    refuses(0x8b, "x", 1, WS_CODE_PROTOCOL);
    refuses(0x80, "x", 1, WS_CODE_PROTOCOL);        /* continues nothing */
    refuses(0x09, "x", 1, WS_CODE_PROTOCOL);        /* a control frame in pieces */
    refuses(0x89, text, 126, WS_CODE_PROTOCOL);     /* a long control frame */
    refuses(0x88, "x", 1, WS_CODE_PROTOCOL);        /* half a close code */
    refuses(0x88, "\x03\xed", 2, WS_CODE_PROTOCOL); /* 1005 is never on the wire */
    refuses(0x88, "\x03\xe8\xff", 3, WS_CODE_TEXT);
    refuses(0x81, "\xff", 1, WS_CODE_TEXT);
    refuses(0x81, text, 101, WS_CODE_TOO_BIG);
    wire.data[0] = 0x81;
    wire.data[1] = 0x01; /* not masked */
    wire.len = 2;
    {
        struct ws_reader reader = { .message_max = 100 };
        struct ws_event event;
        size_t used;

        assert_int_equal(next(&reader, &event, &used), WS_E_REFUSED);
        assert_string_equal(event.why, "protocol error: frames of a client must be masked");
    }
}

static void refuses_a_size_before_it_has_come(void **state)
{
    static const uint8_t head[] = { 0x81, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0 };
    struct ws_reader reader = { .message_max = 26214400 };
    struct ws_event event;
    size_t used;

    (void)state;
    memcpy(wire.data, head, sizeof(head));
    wire.len = sizeof(head);
    assert_int_equal(next(&reader, &event, &used), WS_E_REFUSED);
    assert_int_equal(event.code, WS_CODE_TOO_BIG);
    wire.data[2] = 0x80; /* beyond 2^63 */
    assert_int_equal(next(&reader, &event, &used), WS_E_REFUSED);
    assert_int_equal(event.code, WS_CODE_PROTOCOL);
}

static void bounds_a_message_of_many_pieces(void **state)
{
    struct ws_reader reader = { .message_max = 100 };
    static char text[60];
    struct ws_event event;
    size_t used;

    (void)state;
    memset(text, 'x', sizeof(text));
    wire.len = 0;
    frame_add(0x01, text, 60);
    frame_add(0x00, text, 60);
    assert_int_equal(next(&reader, &event, &used), WS_E_REFUSED);
    assert_int_equal(event.code, WS_CODE_TOO_BIG);
    ws_reader_deinit(&reader);
}

static void reads_a_close_with_and_without_a_code(void **state)
{
    struct ws_reader reader = { .message_max = 100 };
    struct ws_event event;
    size_t used;

    (void)state;
    wire.len = 0;
    frame_add(0x88, "", 0);
    assert_int_equal(next(&reader, &event, &used), WS_E_EVENT);
    assert_int_equal(event.code, WS_CODE_NO_STATUS);
    wire.len = 0;
    frame_add(0x88,
              "\x03\xe8"
              "bye",
              5);
    assert_int_equal(next(&reader, &event, &used), WS_E_EVENT);
    assert_int_equal(event.code, 1000);
    assert_true(span_is(event.data, SPAN_LIT("bye")));
}

static void cuts_a_close_reason_between_characters(void **state)
{
    char reason[200];
    uint8_t payload[WS_CONTROL_MAX];
    size_t len;

    (void)state;
    memset(reason, 'a', sizeof(reason));
    memcpy(reason + 119, "\xc3\xa9", 2);
    len = ws_close_payload(payload, 1008, (struct span){ reason, sizeof(reason) });
    assert_int_equal(len, 2 + 119);
    assert_int_equal(ws_close_payload(payload, 1008, (struct span){ reason, 5 }), 7);
    assert_memory_equal(payload,
                        "\x03\xf0"
                        "aaaaa",
                        7);
    assert_int_equal(ws_close_payload(payload, WS_CODE_NO_STATUS, SPAN_LIT("x")), 0);
}

static void tells_utf8_from_other_bytes(void **state)
{
    static const char *const good[] = {
        "", "plain ascii text that is long", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "12345678\xc2\x80"
    };
    static const char *const bad[] = {
        "\x80", "\xc0\xaf",         "\xe0\x80\x80",        "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xc3", "12345678\xe2\x82", "\xf8\x88\x80\x80\x80"
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(ws_is_utf8(span_from(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(ws_is_utf8(span_from(bad[i])));
    }
}

static void unmasks_the_same_in_one_go_and_in_pieces(void **state)
{
    static const uint8_t mask[4] = { 1, 2, 3, 4 };
    uint8_t whole[40];
    uint8_t pieces[40];

    (void)state;
    for (size_t cut = 0; cut <= sizeof(whole); cut++) {
        memset(whole, 0x55, sizeof(whole));
        memset(pieces, 0x55, sizeof(pieces));
        ws_unmask(whole, sizeof(whole), mask, 0);
        ws_unmask(pieces, cut, mask, 0);
        ws_unmask(pieces + cut, sizeof(pieces) - cut, mask, cut);
        assert_memory_equal(whole, pieces, sizeof(whole));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_heads_of_every_length),
        cmocka_unit_test(reads_messages_of_every_length_and_unmasks_them),
        cmocka_unit_test(waits_for_the_rest_and_says_how_much_it_needs),
        cmocka_unit_test(joins_fragments_around_a_control_frame),
        cmocka_unit_test(refuses_what_the_protocol_forbids),
        cmocka_unit_test(refuses_a_size_before_it_has_come),
        cmocka_unit_test(bounds_a_message_of_many_pieces),
        cmocka_unit_test(reads_a_close_with_and_without_a_code),
        cmocka_unit_test(cuts_a_close_reason_between_characters),
        cmocka_unit_test(tells_utf8_from_other_bytes),
        cmocka_unit_test(unmasks_the_same_in_one_go_and_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
