/* What an actor sends to those who watch: over real sockets within the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <czmq.h>

#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "bus/tap.h"
#include "bus/value.h"

static const struct schema_field secret_fields[] = {
    { .name = "sessionKey", .name_len = 10, .kind = SCHEMA_STR, .has_offset = UINT32_MAX, .max = 100 },
    { .name = "token",
      .name_len = 5,
      .kind = SCHEMA_STR,
      .flags = SCHEMA_SENSITIVE,
      .has_offset = UINT32_MAX,
      .max = 100 },
};
static const struct schema_type secret_type = { "secret", 2 * sizeof(struct span), secret_fields, 2, 0 };
static const struct schema_msg hidden = { .name = "hidden", .name_len = 6, .flags = SCHEMA_SENSITIVE };
static const struct schema_msg secret = { .name = "secret", .name_len = 6, .type = &secret_type };
static const struct schema_msg *const msgs[] = { &hidden, &secret };
static const char *const session_keys[] = { "sessionKey", NULL };
static const struct schema_registry registry = { .msgs = msgs, .msgs_n = 2, .session_keys = session_keys };

struct watch {
    zsock_t *pull;
    char endpoint[64];
};

static void watch_begin(struct watch *self, const char *name, const char *filter, bool with_bodies)
{
    (void)snprintf(self->endpoint, sizeof(self->endpoint), "inproc://%s", name);
    self->pull = zsock_new(ZMQ_PULL);
    assert_int_equal(zmq_bind(zsock_resolve(self->pull), self->endpoint), 0);
    assert_int_equal(tap_attach(&(struct tap_wish){ .endpoint = span_from(self->endpoint),
                                                    .filter = span_from(filter),
                                                    .with_bodies = with_bodies }),
                     0);
}

static void watch_end(struct watch *self)
{
    assert_int_equal(tap_detach(span_from(self->endpoint)), 0);
    zsock_destroy(&self->pull);
}

/* Records that wait there; the last batch stays in `batch`. */
static unsigned records(struct watch *self, zmq_msg_t *batch)
{
    unsigned n = 0;
    zmq_msg_t next;

    (void)zmq_msg_init(&next);
    while (zmq_msg_recv(&next, zsock_resolve(self->pull), ZMQ_DONTWAIT) >= 0) {
        struct span bytes = { zmq_msg_data(&next), zmq_msg_size(&next) };

        assert_true(wire_check(bytes.ptr, bytes.len, PACK_DEPTH_MAX));
        n += value_count(bytes) - 1;
        (void)zmq_msg_move(batch, &next);
    }
    (void)zmq_msg_close(&next);
    return n;
}

static void say(struct tap_port *port, enum envelope_kind kind, const char *name, struct span body)
{
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct envelope env = { .kind = kind,
                            .id = 1,
                            .corr = 7,
                            .from = SPAN_LIT("edge/0"),
                            .to = SPAN_LIT("agent/main"),
                            .name = span_from(name),
                            .trace = { 1, 2 } };
    size_t len = envelope_encode(&env, header);

    (void)tap_port_see(
        port, &(struct tap_sight){
                  .env = &env, .header = { (const char *)header, len }, .body = body, .body_bytes = body.len });
}

static struct span body_of(struct pack *pack, const char *session)
{
    pack_init(pack, 0);
    pack_map_begin(pack);
    pack_kv_text(pack, "sessionKey", session);
    pack_kv_text(pack, "token", "hush");
    pack_map_end(pack);
    return pack_span(pack);
}

/* Cell `i` of the first record. */
static struct span cell(zmq_msg_t *batch, unsigned i)
{
    struct value_iter it = value_iter((struct span){ zmq_msg_data(batch), zmq_msg_size(batch) });
    struct span key;
    struct span item = { NULL, 0 };

    assert_true(value_next(&it, &key, &item) && value_next(&it, &key, &item));
    it = value_iter(item);
    for (unsigned k = 0; k <= i; k++) {
        assert_true(value_next(&it, &key, &item));
    }
    return item;
}

static void only_what_may_fit_leaves_the_actor(void **state)
{
    struct tap_port port;
    struct watch calls;
    struct watch all;
    zmq_msg_t batch;

    (void)state;
    (void)zmq_msg_init(&batch);
    tap_port_init(&port, "main", "edge/0", &registry);
    watch_begin(&calls, "calls", "kind == call && trace ~ *2", false);
    watch_begin(&all, "all", "", false);
    for (int i = 0; i < 3; i++) {
        say(&port, ENVELOPE_CALL, "secret", (struct span){ "", 0 });
        say(&port, ENVELOPE_CAST, "secret", (struct span){ "", 0 });
    }
    assert_true(port.is_open);
    tap_port_flush(&port);
    assert_int_equal(records(&calls, &batch), 3);
    assert_int_equal(records(&all, &batch), 6);
    watch_end(&calls);
    say(&port, ENVELOPE_CALL, "secret", (struct span){ "", 0 });
    tap_port_flush(&port);
    assert_int_equal(records(&all, &batch), 1);
    watch_end(&all);
    assert_false(tap_is_watched());
    tap_port_turn(&port);
    assert_int_equal(port.sockets_n, 0);
    tap_port_deinit(&port);
    (void)zmq_msg_close(&batch);
}

static void a_filter_by_latency_lets_calls_pass_whose_answers_may_fit(void **state)
{
    struct tap_port port;
    struct watch slow;
    zmq_msg_t batch;

    (void)state;
    (void)zmq_msg_init(&batch);
    tap_port_init(&port, "main", "edge/0", &registry);
    watch_begin(&slow, "slow", "method == secret && latency > 5 && kind == reply", false);
    say(&port, ENVELOPE_CALL, "secret", (struct span){ "", 0 });
    say(&port, ENVELOPE_CALL, "hidden", (struct span){ "", 0 });
    say(&port, ENVELOPE_CAST, "secret", (struct span){ "", 0 });
    say(&port, ENVELOPE_REPLY, "secret", (struct span){ "", 0 });
    say(&port, ENVELOPE_FAIL, "secret", (struct span){ "", 0 });
    tap_port_flush(&port);
    assert_int_equal(records(&slow, &batch), 2);
    watch_end(&slow);
    tap_port_deinit(&port);
    (void)zmq_msg_close(&batch);
}

static void a_filter_by_session_looks_into_bodies_and_shows_none(void **state)
{
    CLEANUP(pack_deinit) struct pack mine;
    CLEANUP(pack_deinit) struct pack other;
    struct tap_port port;
    struct watch watch;
    zmq_msg_t batch;

    (void)state;
    (void)zmq_msg_init(&batch);
    tap_port_init(&port, "main", "edge/0", &registry);
    watch_begin(&watch, "session", "session ~ agent:*", false);
    say(&port, ENVELOPE_CAST, "secret", body_of(&mine, "agent:main:x"));
    say(&port, ENVELOPE_CAST, "secret", body_of(&other, "x"));
    say(&port, ENVELOPE_CAST, "hidden", pack_span(&mine));
    say(&port, ENVELOPE_CAST, "secret", SPAN_LIT("\xc1"));
    tap_port_flush(&port);
    assert_int_equal(records(&watch, &batch), 1);
    assert_int_equal(value_kind_of(cell(&batch, 3)), VALUE_NIL);
    assert_true(span_is_text(value_str(cell(&batch, 5), (struct span){ "", 0 }), "agent:main:x"));
    watch_end(&watch);
    tap_port_deinit(&port);
    (void)zmq_msg_close(&batch);
}

static void sessions_are_told_to_those_who_want_them_without_bodies(void **state)
{
    CLEANUP(pack_deinit) struct pack mine;
    struct tap_port port;
    struct watch plain;
    struct watch watch = { .endpoint = "inproc://tap-sessions" };
    zmq_msg_t batch;

    (void)state;
    (void)zmq_msg_init(&batch);
    tap_port_init(&port, "main", "edge/0", &registry);
    watch.pull = zsock_new(ZMQ_PULL);
    assert_int_equal(zmq_bind(zsock_resolve(watch.pull), watch.endpoint), 0);
    assert_int_equal(tap_attach(&(struct tap_wish){ .endpoint = span_from(watch.endpoint), .with_sessions = true }), 0);
    watch_begin(&plain, "secrets", "", false);
    say(&port, ENVELOPE_CAST, "secret", body_of(&mine, "agent:main:x"));
    tap_port_flush(&port);
    assert_int_equal(records(&watch, &batch), 1);
    assert_int_equal(value_kind_of(cell(&batch, 3)), VALUE_NIL);
    assert_true(span_is_text(value_str(cell(&batch, 5), (struct span){ "", 0 }), "agent:main:x"));
    assert_int_equal(records(&plain, &batch), 1);
    assert_int_equal(value_kind_of(cell(&batch, 5)), VALUE_NIL);
    watch_end(&watch);
    watch_end(&plain);
    tap_port_deinit(&port);
    (void)zmq_msg_close(&batch);
}

static void bodies_are_shown_to_those_who_want_them_without_their_secrets(void **state)
{
    CLEANUP(pack_deinit) struct pack body;
    struct tap_port port;
    struct watch with;
    struct watch without;
    zmq_msg_t batch;

    (void)state;
    (void)zmq_msg_init(&batch);
    tap_port_init(&port, "main", "edge/0", &registry);
    watch_begin(&with, "with", "", true);
    watch_begin(&without, "without", "", false);
    say(&port, ENVELOPE_CALL, "secret", body_of(&body, "s"));
    tap_port_flush(&port);
    assert_int_equal(records(&with, &batch), 1);
    assert_true(span_is_text(value_str(value_get(cell(&batch, 3), "token"), (struct span){ "", 0 }), "[redacted]"));
    assert_int_equal(records(&without, &batch), 1);
    assert_int_equal(value_kind_of(cell(&batch, 3)), VALUE_NIL);
    watch_end(&with);
    watch_end(&without);
    tap_port_deinit(&port);
    (void)zmq_msg_close(&batch);
}

static void what_was_handled_is_shown_to_those_who_want_times(void **state)
{
    struct tap_port port;
    struct watch times;
    struct watch plain;
    zmq_msg_t batch;
    struct envelope env = { .kind = ENVELOPE_CAST, .from = SPAN_LIT("a"), .to = SPAN_LIT("b"), .name = SPAN_LIT("n") };
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct tap_sight sight = { .env = &env,
                               .header = { (const char *)header, envelope_encode(&env, header) },
                               .is_handled = true,
                               .waited_ns = 3000,
                               .busy_ns = 5000 };

    (void)state;
    (void)zmq_msg_init(&batch);
    tap_port_init(&port, "main", "b", &registry);
    assert_false(tap_port_wants_times(&port));
    watch_begin(&plain, "plain", "", false);
    assert_false(tap_port_wants_times(&port));
    (void)snprintf(times.endpoint, sizeof(times.endpoint), "inproc://times");
    times.pull = zsock_new(ZMQ_PULL);
    assert_int_equal(zmq_bind(zsock_resolve(times.pull), times.endpoint), 0);
    assert_int_equal(tap_attach(&(struct tap_wish){ .endpoint = span_from(times.endpoint), .with_times = true }), 0);
    assert_true(tap_port_wants_times(&port));
    assert_true(tap_port_see(&port, &sight));
    tap_port_flush(&port);
    assert_int_equal(records(&plain, &batch), 0);
    assert_int_equal(records(&times, &batch), 1);
    struct value_iter it = value_iter(cell(&batch, 6));
    struct span key;
    struct span item;
    assert_true(value_next(&it, &key, &item));
    assert_int_equal(value_i64(item, 0), 3);
    assert_true(value_next(&it, &key, &item));
    assert_int_equal(value_i64(item, 0), 5);
    watch_end(&times);
    watch_end(&plain);
    assert_false(tap_port_wants_times(&port));
    tap_port_deinit(&port);
    (void)zmq_msg_close(&batch);
}

static void what_is_too_much_is_dropped_and_counted_for_each_watcher(void **state)
{
    struct tap_port port;
    struct watch all;
    struct watch few;
    zmq_msg_t batch;
    unsigned n;

    (void)state;
    (void)zmq_msg_init(&batch);
    tap_port_init(&port, "main", "edge/0", &registry);
    watch_begin(&all, "much", "", false);
    watch_begin(&few, "few", "kind == call", false);
    for (unsigned i = 0; i < TAP_RECORDS_BURST + 10; i++) {
        say(&port, ENVELOPE_CAST, "secret", (struct span){ "", 0 }); /* all in one turn, so at one moment */
    }
    say(&port, ENVELOPE_CALL, "secret", (struct span){ "", 0 });
    tap_port_flush(&port);
    n = records(&all, &batch);
    assert_int_equal(n, TAP_RECORDS_BURST);
    assert_int_equal(records(&few, &batch), 1);
    tap_port_turn(&port);
    port.turn_us = 1; /* long ago: the clock was set back, so there is room again */
    say(&port, ENVELOPE_CAST, "secret", (struct span){ "", 0 });
    tap_port_flush(&port);
    assert_int_equal(records(&all, &batch), 1);
    struct value_iter it = value_iter((struct span){ zmq_msg_data(&batch), zmq_msg_size(&batch) });
    struct span key;
    struct span head;
    assert_true(value_next(&it, &key, &head));
    assert_int_equal(value_i64(value_get(head, "dropped"), 0), 11);
    watch_end(&all);
    watch_end(&few);
    tap_port_deinit(&port);
    (void)zmq_msg_close(&batch);
}

static void nonsense_and_a_ninth_watcher_are_refused(void **state)
{
    char endpoint[TAP_ENDPOINT_MAX + 1];

    (void)state;
    memset(endpoint, 'x', sizeof(endpoint));
    assert_int_equal(tap_attach(&(struct tap_wish){ .endpoint = SPAN_LIT("a"), .filter = SPAN_LIT("to =") }),
                     TAP_E_FILTER);
    assert_int_equal(tap_attach(&(struct tap_wish){ .endpoint = { endpoint, sizeof(endpoint) } }), TAP_E_FILTER);
    assert_int_equal(tap_attach(&(struct tap_wish){ .endpoint = SPAN_LIT("") }), TAP_E_FILTER);
    for (size_t i = 1; i <= TAP_WATCHERS_MAX; i++) {
        assert_int_equal(tap_attach(&(struct tap_wish){ .endpoint = { endpoint, i } }), 0);
    }
    assert_int_equal(tap_attach(&(struct tap_wish){ .endpoint = SPAN_LIT("a") }), TAP_E_FULL);
    for (size_t i = 1; i <= TAP_WATCHERS_MAX; i++) {
        assert_int_equal(tap_detach((struct span){ endpoint, i }), 0);
    }
    assert_int_equal(tap_detach(SPAN_LIT("a")), TAP_E_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_may_fit_leaves_the_actor),
        cmocka_unit_test(a_filter_by_latency_lets_calls_pass_whose_answers_may_fit),
        cmocka_unit_test(sessions_are_told_to_those_who_want_them_without_bodies),
        cmocka_unit_test(a_filter_by_session_looks_into_bodies_and_shows_none),
        cmocka_unit_test(bodies_are_shown_to_those_who_want_them_without_their_secrets),
        cmocka_unit_test(what_was_handled_is_shown_to_those_who_want_times),
        cmocka_unit_test(what_is_too_much_is_dropped_and_counted_for_each_watcher),
        cmocka_unit_test(nonsense_and_a_ninth_watcher_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
