#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "edge/cli/replay_compare.h"
#include "edge/cli/replay_script.h"

static const struct schema_msg ask = { .name = "ask", .name_len = 3 };
static const struct schema_msg chat = {
    .name = "chat", .name_len = 4, .kind = SCHEMA_MSG_TOPIC, .flags = SCHEMA_DROPPABLE_DELTA
};
static const struct schema_msg *const msgs[] = { &ask, &chat };
static const struct schema_registry registry = { .msgs = msgs, .msgs_n = 2 };

/* --- comparing -------------------------------------------------------------------------------- */

static struct replay_comparison *compared(const char *recorded, const char *replayed, bool is_strict)
{
    struct replay_comparison *self = calloc(1, sizeof(*self));
    CLEANUP(pack_deinit) struct pack a;
    CLEANUP(pack_deinit) struct pack b;

    pack_init(&a, 0);
    pack_init(&b, 0);
    assert_int_equal(json_to_pack(span_from(recorded), &(struct json_opts){ 0 }, &a, NULL), 0);
    assert_int_equal(json_to_pack(span_from(replayed), &(struct json_opts){ 0 }, &b, NULL), 0);
    self->is_strict = is_strict;
    replay_compare(self, pack_span(&a), pack_span(&b));
    return self;
}

static void what_differs_each_time_is_passed_over(void **state)
{
    static const struct {
        const char *recorded;
        const char *replayed;
    } pairs[] = {
        { "{\"ts\":1,\"a\":[1,2]}", "{\"a\":[1,2],\"ts\":2}" },
        { "{\"x\":1700000000000}", "{\"x\":1700000009999}" },
        { "{\"x\":\"0c76af59-5d1a-40f7-b81a-c5a32bf9b094\"}", "{\"x\":\"1c76af59-5d1a-40f7-b81a-c5a32bf9b094\"}" },
        { "{\"x\":\"2026-11-30T17:52:33Z\"}", "{\"x\":\"2026-12-30T17:52:33Z\"}" },
        { "{\"x\":\"dd9b961b\"}", "{\"x\":\"837deefd\"}" },
        { "{\"x\":\"/home/a\"}", "{\"x\":\"/tmp/b\"}" },
        { "{\"updatedAt\":1}", "{}" },
        { "{\"durationMs\":5}", "{\"durationMs\":\"x\"}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct replay_comparison *loose = compared(pairs[i].recorded, pairs[i].replayed, false);
        struct replay_comparison *strict = compared(pairs[i].recorded, pairs[i].replayed, true);

        if (loose->differences_n != 0 || loose->passed_over != 1 || strict->differences_n != 1) {
            fail_msg("%s", pairs[i].recorded);
        }
        free(loose);
        free(strict);
    }
}

static void says_where_and_what_differs(void **state)
{
    struct replay_comparison *self =
        compared("{\"rows\":[{\"text\":\"a\"},{\"text\":\"b\"}],\"n\":2,\"gone\":null}",
                 "{\"rows\":[{\"text\":\"a\"},{\"text\":\"c\"},3],\"n\":\"2\",\"new\":true}", false);

    (void)state;
    assert_int_equal(self->differences_n, 5);
    assert_string_equal(self->differences[0].path, "rows/1/text");
    assert_string_equal(self->differences[0].recorded, "\"b\"");
    assert_string_equal(self->differences[0].replayed, "\"c\"");
    assert_string_equal(self->differences[1].path, "rows/2");
    assert_string_equal(self->differences[1].recorded, "absent");
    assert_string_equal(self->differences[2].path, "n");
    assert_string_equal(self->differences[3].path, "gone");
    assert_string_equal(self->differences[4].path, "new");
    free(self);
}

static void one_number_in_two_packings_is_the_same(void **state)
{
    static const char wide[] = "\xcf\x00\x00\x00\x00\x00\x00\x00\x05";
    struct replay_comparison *self = calloc(1, sizeof(*self));

    (void)state;
    replay_compare(self, SPAN_LIT("\x05"), (struct span){ wide, sizeof(wide) - 1 });
    assert_int_equal(self->differences_n, 0);
    replay_compare(self, SPAN_LIT("\x05"), (struct span){ NULL, 0 });
    assert_int_equal(self->differences_n, 1);
    assert_string_equal(self->differences[0].path, "");
    free(self);
}

static void more_differences_than_there_is_room_for_are_counted(void **state)
{
    CLEANUP(text_buf_deinit) struct text_buf a = { 0 };
    struct replay_comparison *self;

    (void)state;
    assert_int_equal(text_buf_add(&a, SPAN_LIT("[")), 0);
    for (unsigned i = 0; i < REPLAY_DIFFERENCES_MAX + 10; i++) {
        assert_int_equal(text_buf_add(&a, i ? SPAN_LIT(",1") : SPAN_LIT("1")), 0);
    }
    assert_int_equal(text_buf_add(&a, (struct span){ "]", 2 }), 0);
    self = compared(a.data, "[]", false);
    assert_int_equal(self->differences_n, REPLAY_DIFFERENCES_MAX + 10);
    free(self);
}

/* --- the script --------------------------------------------------------------------------------- */

static void add(struct replay_script *script, enum envelope_kind kind, uint64_t corr, const char *name,
                const char *body)
{
    bool is_call = kind == ENVELOPE_CALL;
    CLEANUP(pack_deinit) struct pack pack;
    struct tap_record record = { .env = { .kind = kind,
                                          .corr = corr,
                                          .from = is_call ? SPAN_LIT("edge/0") : SPAN_LIT("agent/a"),
                                          .to = is_call ? SPAN_LIT("router") : SPAN_LIT("edge/0"),
                                          .name = span_from(name) } };

    pack_init(&pack, 0);
    if (body) {
        assert_int_equal(json_to_pack(span_from(body), &(struct json_opts){ 0 }, &pack, NULL), 0);
        record.body = pack_span(&pack);
    }
    assert_int_equal(replay_script_add(script, &record, is_call), 0);
}

static void a_recording_becomes_calls_and_what_came_of_them(void **state)
{
    CLEANUP(replay_script_deinit) struct replay_script script = { .registry = &registry };

    (void)state;
    add(&script, ENVELOPE_PUBLISH, 0, "chat", "{\"runId\":\"r\",\"state\":\"final\"}"); /* of a call before */
    add(&script, ENVELOPE_CALL, 1, "ask", "{\"q\":1,\"key\":\"r\"}");
    add(&script, ENVELOPE_CALL, 2, "ask", "{\"q\":{\"secret\":[\"[redacted]\"]}}");
    add(&script, ENVELOPE_CALL, 3, "ask", NULL);
    add(&script, ENVELOPE_REPLY, 2, "ask", "{}");
    add(&script, ENVELOPE_FAIL, 1, "ask", "{\"code\":1}");
    add(&script, ENVELOPE_PUBLISH, 0, "chat", "{\"runId\":\"r\",\"state\":\"delta\"}");
    add(&script, ENVELOPE_PUBLISH, 0, "chat", "{\"runId\":\"r\",\"state\":\"final\"}");
    add(&script, ENVELOPE_PUBLISH, 0, "chat", "{\"runId\":\"made-up\",\"state\":\"final\"}");
    add(&script, ENVELOPE_PUBLISH, 0, "other", "{\"runId\":\"r\"}");
    assert_int_equal(script.calls_n, 1);
    assert_int_equal(script.secret, 1);
    assert_int_equal(script.without_body, 1);
    assert_int_equal(script.steps_n, 3);
    assert_int_equal(script.steps[0].kind, REPLAY_CALL);
    assert_string_equal(script.steps[0].address, "router");
    assert_int_equal(script.steps[1].kind, REPLAY_ANSWER);
    assert_int_equal(script.steps[1].call, 0);
    assert_true(script.steps[1].is_failure);
    assert_int_equal(script.steps[2].kind, REPLAY_EVENT);
    assert_true(span_is_text((struct span){ script.steps[2].about.data, script.steps[2].about.len }, "r"));
    assert_int_equal(script.agents_n, 1);
    assert_string_equal(script.agents[0], "agent/a");
}

static void an_answer_belongs_to_the_newest_call_of_its_number(void **state)
{
    CLEANUP(replay_script_deinit) struct replay_script script = { .registry = &registry };

    (void)state;
    add(&script, ENVELOPE_CALL, 7, "ask", "{}");
    add(&script, ENVELOPE_REPLY, 7, "ask", "{}");
    add(&script, ENVELOPE_CALL, 7, "ask", "{}"); /* of a later life */
    add(&script, ENVELOPE_REPLY, 7, "ask", "{}");
    add(&script, ENVELOPE_REPLY, 8, "ask", "{}");
    assert_int_equal(script.steps_n, 4);
    assert_int_equal(script.steps[1].call, 0);
    assert_int_equal(script.steps[3].call, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_differs_each_time_is_passed_over),
        cmocka_unit_test(says_where_and_what_differs),
        cmocka_unit_test(one_number_in_two_packings_is_the_same),
        cmocka_unit_test(more_differences_than_there_is_room_for_are_counted),
        cmocka_unit_test(a_recording_becomes_calls_and_what_came_of_them),
        cmocka_unit_test(an_answer_belongs_to_the_newest_call_of_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
