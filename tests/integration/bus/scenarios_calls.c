/* What the bus promises of calls, casts and streams. */
#include "bus/base/clock.h"
#include "bus/value.h"
#include "tests/integration/bus/driver.h"

static void on_pong_42(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)actor;
    (void)cookie;
    if (answer->failure) {
        rig_verdict(false, "failure %d: %.*s", answer->failure->code, SPAN_FMT(answer->failure->message));
        return;
    }
    check(out && out->n == 42, "the answer's field");
    check(span_is_text(answer->from, "echo"), "who answered");
    well();
}

static void a_call_is_answered(struct actor *driver)
{
    ask(driver, "echo", &rig_ping, 42, 0, on_pong_42);
}

static void a_forwarded_call_is_answered_by_its_target(struct actor *driver)
{
    ask(driver, "relay", &rig_relay, 42, 0, on_pong_42);
}

static void on_unavailable_at_once(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)actor;
    (void)cookie;
    check(clock_mono_ns() - self->started_ns < 2000000000ULL, "at once");
    check(!failed_with(answer, FAIL_UNAVAILABLE) || answer->failure->retryable, "retryable");
    expect_failure(answer, FAIL_UNAVAILABLE);
}

static void an_absent_receiver_fails_at_once(struct actor *driver)
{
    ask(driver, "nobody/at/all", &rig_ping, 1, 20000, on_unavailable_at_once);
}

static void on_unknown_method(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    expect_failure(answer, FAIL_UNKNOWN_METHOD);
}

static void an_unknown_method_is_named(struct actor *driver)
{
    ask(driver, "relay", &rig_noted, 1, 0, on_unknown_method);
}

static void on_body_refused(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    check(!failed_with(answer, FAIL_INVALID_REQUEST) ||
              memmem(answer->failure->message.ptr, answer->failure->message.len, "n", 1),
          "names the field");
    expect_failure(answer, FAIL_INVALID_REQUEST);
}

static void a_broken_body_is_refused_with_its_field(struct actor *driver)
{
    /* {"n": "text"} */
    static const char body[] = "\x81\xa1n\xa4text";
    struct actor_call call = {
        .to = "echo", .msg = &rig_ping, .body = { body, sizeof(body) - 1 }, .on_answer = on_body_refused
    };

    check(actor_call(driver, &call, NULL) == 0, "actor_call");
}

static void on_cancelled_count(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)actor;
    (void)cookie;
    check(out && out->n == 1, "the receiver was told once");
    well();
}

static void on_timeout(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check(failed_with(answer, FAIL_TIMEOUT), "a timeout");
    ask(actor, "echo", &rig_cancelled, 0, 0, on_cancelled_count);
}

static void a_deadline_ends_a_call_and_tells_the_receiver(struct actor *driver)
{
    ask(driver, "echo", &rig_hold, 0, 60, on_timeout);
}

static void on_details(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    check(failed_with(answer, FAIL_INVALID_REQUEST), "the code");
    check(span_is_text(answer->failure->message, "n is odd"), "the message");
    check(span_is_text(value_str(value_get(answer->failure->details, "field"), (struct span){ 0 }), "n"),
          "the details");
    well();
}

static void a_failure_carries_its_details(struct actor *driver)
{
    ask(driver, "echo", &rig_refuse, 1, 0, on_details);
}

/* --- casts --------------------------------------------------------------------------------------- */

static void on_notes_counted(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)actor;
    (void)cookie;
    if (!out || out->n != 900) {
        rig_verdict(false, "%llu of 900 in order", out ? (unsigned long long)out->n : 0ULL);
        return;
    }
    well();
}

static void casts_arrive_in_order(struct actor *driver)
{
    for (uint64_t i = 0; i < 900; i++) { /* below the receiver's limit of 1000, so that none is refused */
        check(actor_cast(driver, "echo", &rig_note, &(struct msg_ping){ .n = i }, NULL) == 0, "actor_cast");
    }
    ask(driver, "echo", &rig_noted, 0, 0, on_notes_counted);
}

static void on_relayed(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    check(!answer->failure, "what went to another one was answered");
    if (++self->count == 30) {
        ask(actor, "echo", &rig_noted, 0, 0, on_notes_counted);
    }
}

/* Several turns, with what goes out at once between them, and to two receivers. */
static void what_is_corked_leaves_in_order(struct actor *driver)
{
    for (uint64_t i = 0; i < 900; i++) {
        if (i % 90 == 0) {
            actor_cork(driver);
        }
        check(actor_cast(driver, "echo", &rig_note, &(struct msg_ping){ .n = i }, NULL) == 0, "actor_cast");
        if (i % 30 == 0) {
            ask(driver, "relay", &rig_relay, i, 0, on_relayed);
        }
        if (i % 90 == 60) {
            actor_uncork(driver);
        }
    }
    actor_uncork(driver); /* of nothing */
}

/* --- streams ------------------------------------------------------------------------------------- */

#define FLOW_CHUNKS 200U
#define FLOW_WINDOW 64U

static void on_flow_chunk(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema,
                          const void *msg, struct span body)
{
    struct driver *self = state;
    const struct msg_ping *in = msg;

    (void)cookie;
    check(schema == &rig_chunk && in && in->n == self->count, "chunks in order");
    self->count++;
    self->expected += body.len; /* bytes not yet granted */
    check(self->expected <= FLOW_WINDOW + body.len, "never more than the window and one chunk ahead");
    if (self->expected >= FLOW_WINDOW) {
        actor_call_grant(actor, self->call_id, (uint32_t)self->expected);
        self->expected = 0;
    }
}

static void on_flow_end(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)actor;
    (void)cookie;
    check(!answer->failure, "the stream ends well");
    check(self->count == FLOW_CHUNKS, "every chunk came before the end");
    well();
}

static void flow_open(struct actor *driver, uint64_t chunks, actor_on_answer on_end, actor_on_chunk on_chunk)
{
    struct msg_ping in = { .n = chunks };
    struct actor_call call = { .to = "echo",
                               .msg = &rig_flow,
                               .in = &in,
                               .on_answer = on_end,
                               .on_chunk = on_chunk,
                               .window_bytes = FLOW_WINDOW };

    check(actor_call(driver, &call, &driver_of(driver)->call_id) == 0, "actor_call");
}

static void a_stream_stops_at_its_credit(struct actor *driver)
{
    flow_open(driver, FLOW_CHUNKS, on_flow_end, on_flow_chunk);
}

static void on_chunk_then_cancel(void *state, struct actor *actor, void *cookie, const struct schema_msg *schema,
                                 const void *msg, struct span body)
{
    struct driver *self = state;

    (void)cookie;
    (void)schema;
    (void)msg;
    (void)body;
    check(self->step == 0, "no chunk after the cancel");
    self->step = 1;
    actor_call_cancel(actor, self->call_id);
}

static void on_flow_cancelled(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check(failed_with(answer, FAIL_CANCELLED), "cancelled");
    ask(actor, "echo", &rig_cancelled, 0, 0, on_cancelled_count);
}

static void a_cancelled_stream_stops_its_sender(struct actor *driver)
{
    flow_open(driver, 1000000, on_flow_cancelled, on_chunk_then_cancel);
}

/* --- giving up while a call is being handed on ------------------------------------------------------ */

enum { GIVEN_UP_N = 200 };

static void on_all_cancelled(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)cookie;
    check(out && out->n <= GIVEN_UP_N, "none is cancelled twice");
    if (out->n == GIVEN_UP_N) {
        well();
    } else { /* the harness ends this when it does not come */
        ask(actor, "echo", &rig_cancelled, 0, 0, on_all_cancelled);
    }
}

static void on_given_up(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    check(failed_with(answer, FAIL_CANCELLED), "cancelled");
    if (++self->count == GIVEN_UP_N) {
        ask(actor, "echo", &rig_cancelled, 0, 0, on_all_cancelled);
    }
}

/* None of these has been handed on when it is given up, and whoever gets it hears of it all the same. */
static void on_way_known(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check(!answer->failure, "the way is known");
    for (int i = 0; i < GIVEN_UP_N; i++) {
        ask(actor, "relay", &rig_relay_hold, 0, UINT32_MAX, on_given_up);
        actor_call_cancel(actor, driver_of(actor)->call_id);
    }
}

static void a_call_given_up_before_it_is_handed_on_ends(struct actor *driver)
{
    ask(driver, "relay", &rig_relay, 42, 0, on_way_known);
}

/* --- load ---------------------------------------------------------------------------------------- */

static void flood_check(const struct driver *self)
{
    if (self->count == self->expected && self->step == 1) {
        check(self->failures > 0, "a flood is refused in part");
        check(self->failures < self->expected, "and served in part");
        well();
    }
}

static void on_flooded(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)actor;
    (void)cookie;
    self->count++;
    if (answer->failure) {
        check(answer->failure->code == FAIL_UNAVAILABLE && answer->failure->retryable, "a refusal is UNAVAILABLE");
        self->failures++;
    }
    flood_check(self);
}

static void on_other_served(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)actor;
    (void)cookie;
    check(!answer->failure, "another principal gets through");
    self->step = 1;
    flood_check(self);
}

static void a_flood_is_refused_by_the_share_of_its_principal(struct actor *driver)
{
    struct driver *self = driver_of(driver);
    struct msg_ping busy = { .n = 50000 };
    struct msg_ping small = { .n = 1 };
    struct actor_call call = {
        .to = "echo", .msg = &rig_slow, .in = &busy, .principal = SPAN_LIT("flooder"), .on_answer = on_flooded
    };

    self->expected = 901;
    check(actor_call(driver, &call, NULL) == 0, "actor_call"); /* keeps it busy while the rest piles up */
    call.msg = &rig_ping;
    call.in = &small;
    for (int i = 0; i < 900; i++) {
        check(actor_call(driver, &call, NULL) == 0, "actor_call");
    }
    call.principal = SPAN_LIT("somebody else");
    call.on_answer = on_other_served;
    check(actor_call(driver, &call, NULL) == 0, "actor_call");
}

#define PIPELINE 50000U

static void pipeline_fill(struct actor *actor);

static void on_pipelined(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    self->failures += answer->failure ? 1 : 0;
    self->count++;
    if (self->count == PIPELINE) {
        check(self->failures == 0, "none failed");
        well();
    } else {
        pipeline_fill(actor);
    }
}

static void pipeline_fill(struct actor *actor)
{
    struct driver *self = driver_of(actor);

    while (self->expected < PIPELINE && self->expected - self->count < 256) {
        self->expected++;
        ask(actor, "echo", &rig_ping, self->expected, 0, on_pipelined);
    }
}

static void many_calls_in_flight_all_end(struct actor *driver)
{
    pipeline_fill(driver);
}

const struct scenario scenarios_of_calls[] = {
    SCENARIO(a_call_is_answered),
    SCENARIO(an_absent_receiver_fails_at_once),
    SCENARIO(an_unknown_method_is_named),
    SCENARIO(a_broken_body_is_refused_with_its_field),
    SCENARIO(a_deadline_ends_a_call_and_tells_the_receiver),
    SCENARIO(a_failure_carries_its_details),
    SCENARIO(a_forwarded_call_is_answered_by_its_target),
    SCENARIO(casts_arrive_in_order),
    SCENARIO(what_is_corked_leaves_in_order),
    SCENARIO(a_stream_stops_at_its_credit),
    SCENARIO(a_cancelled_stream_stops_its_sender),
    SCENARIO(a_call_given_up_before_it_is_handed_on_ends),
    SCENARIO(a_flood_is_refused_by_the_share_of_its_principal),
    SCENARIO(many_calls_in_flight_all_end),
    { NULL, NULL },
};
