/*
 * What the bus promises, one scenario per sentence, played by an actor that asks. The
 * same scenarios run with all actors in one process and with the servers in another.
 */
#include <stdio.h>
#include <unistd.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "bus/wire.h"
#include "tests/integration/bus/rig.h"

struct driver {
    bool is_echo_ready;
    bool is_relay_ready;
    bool is_started;
    rig_scenario scenario;
    uint64_t count;
    uint64_t expected;
    uint64_t failures;
    uint64_t call_id;
    uint64_t started_ns;
    uint32_t first_incarnation;
    uint32_t first_of_echo;
    uint64_t lost;
    uint64_t dropped;
    uint64_t last; /* number of the newest event, from 1 */
    unsigned step;
    uv_timer_t timer;
    void (*on_timer)(struct actor *actor);
    void (*on_known)(struct actor *actor); /* the publisher knows that we are subscribed */
};

static struct driver *driver_of(struct actor *actor)
{
    return actor_state(actor);
}

static void check(bool is_well, const char *what)
{
    if (!is_well) {
        rig_verdict(false, "%s", what);
    }
}

static void well(void)
{
    rig_verdict(true, "as promised");
}

/* One call with the usual shape. */
static void ask(struct actor *actor, const char *to, const struct schema_msg *msg, uint64_t n, uint32_t deadline_ms,
                actor_on_answer on_answer)
{
    struct msg_ping in = { .n = n };
    struct actor_call call = { .to = to, .msg = msg, .in = &in, .deadline_ms = deadline_ms, .on_answer = on_answer };

    check(actor_call(actor, &call, &driver_of(actor)->call_id) == 0, "actor_call");
}

static void on_timer_cb(uv_timer_t *timer)
{
    struct actor *actor = timer->data;

    driver_of(actor)->on_timer(actor);
}

/* Asks again soon: for conditions that another actor reaches by itself. */
static void again_soon(struct actor *actor, void (*fn)(struct actor *actor))
{
    struct driver *self = driver_of(actor);

    self->on_timer = fn;
    (void)uv_timer_start(&self->timer, on_timer_cb, 5, 0);
}

static bool failed_with(const struct actor_answer *answer, int code)
{
    return answer->failure && answer->failure->code == code;
}

/* Compares what failed for the verdict's text. */
static void expect_failure(const struct actor_answer *answer, int code)
{
    if (failed_with(answer, code)) {
        well();
    } else if (answer->failure) {
        rig_verdict(false, "failure %d (%.*s) instead of %d", answer->failure->code, SPAN_FMT(answer->failure->message),
                    code);
    } else {
        rig_verdict(false, "an answer instead of failure %d", code);
    }
}

/* --- calls ---------------------------------------------------------------------------------- */

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

/* --- deaths ---------------------------------------------------------------------------------- */

static void on_ignored(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    (void)answer;
}

static void on_forwarded_ended(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)actor;
    (void)cookie;
    expect_failure(answer, FAIL_UNAVAILABLE);
}

static void on_settled_then_break(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    (void)answer;
    ask(actor, "echo", &rig_break, 0, 0, on_ignored);
}

static void a_forwarded_call_ends_with_its_target(struct actor *driver)
{
    ask(driver, "relay", &rig_relay_hold, 0, 20000, on_forwarded_ended);
    ask(driver, "relay", &rig_relay, 1, 20000, on_settled_then_break); /* behind the first, so that one is held */
}

static void a_crash_ends_the_calls_it_held(struct actor *driver)
{
    ask(driver, "echo", &rig_hold, 0, 20000, on_forwarded_ended);
    ask(driver, "echo", &rig_break, 0, 20000, on_ignored);
}

static void comeback_ask(struct actor *actor);

static void on_comeback(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    if (answer->failure) {
        check(answer->failure->code == FAIL_UNAVAILABLE, "only UNAVAILABLE while it restarts");
        again_soon(actor, comeback_ask);
        return;
    }
    check(out->incarnation > self->first_incarnation, "a new life");
    well();
}

static void comeback_ask(struct actor *actor)
{
    ask(actor, "echo", &rig_ping, 1, 0, on_comeback);
}

static void on_broken(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check(failed_with(answer, FAIL_INTERNAL), "the asker hears that it broke");
    comeback_ask(actor);
}

static void on_first_life(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    check(out != NULL, "it answers at first");
    self->first_incarnation = out ? out->incarnation : 0;
    ask(actor, "echo", &rig_break, 1, 0, on_broken);
}

static void a_broken_actor_answers_and_comes_back(struct actor *driver)
{
    ask(driver, "echo", &rig_ping, 1, 0, on_first_life);
}

static void break_again(struct actor *actor);

static void on_break_again(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    check(answer->failure != NULL, "it breaks");
    again_soon(actor, break_again);
}

static void break_again(struct actor *actor)
{
    ask(actor, "echo", &rig_break, 1, 0, on_break_again);
}

static void a_crash_loop_gives_up_and_says_so(struct actor *driver)
{
    driver_of(driver)->step = 100; /* the verdict comes from the watch in on_life */
    break_again(driver);
}

/* --- strategies and caps ------------------------------------------------------------------------- */

static void rest_ask(struct actor *actor);

/* What is asked in each step, and how many lives after the first the answer must come from. */
static const struct {
    const char *to;
    const struct schema_msg *msg;
    uint32_t lives;
} rest_steps[] = {
    { "relay", &rig_ping, 0 }, { "echo", &rig_ping, 0 },  { "relay", &rig_break, 0 }, { "relay", &rig_ping, 1 },
    { "echo", &rig_ping, 0 },  { "echo", &rig_break, 0 }, { "relay", &rig_ping, 2 },  { "echo", &rig_ping, 1 },
};

static void on_rest(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;
    bool is_relay = strcmp(rest_steps[self->step].to, "relay") == 0;
    uint32_t *first = is_relay ? &self->first_incarnation : &self->first_of_echo;

    (void)cookie;
    if (rest_steps[self->step].msg == &rig_ping) {
        *first = *first ? *first : out ? out->incarnation : 0;
        if (!out || out->incarnation < *first + rest_steps[self->step].lives) {
            again_soon(actor, rest_ask);
            return;
        }
        check(out->incarnation == *first + rest_steps[self->step].lives, "started again as often as it must be");
    }
    if (++self->step == ARRAY_LEN(rest_steps)) {
        well();
        return;
    }
    rest_ask(actor);
}

static void rest_ask(struct actor *actor)
{
    ask(actor, rest_steps[driver_of(actor)->step].to, rest_steps[driver_of(actor)->step].msg, 0, 0, on_rest);
}

/* relay stands behind echo: it goes alone, but with echo. */
static void rest_for_one_takes_along_those_behind(struct actor *driver)
{
    rest_ask(driver);
}

static void next_process_ask(struct actor *actor);

static void on_next_process(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)cookie;
    if (out && out->incarnation >> 16 == 2) {
        well();
        return;
    }
    again_soon(actor, next_process_ask);
}

static void next_process_ask(struct actor *actor)
{
    ask(actor, "echo", &rig_ping, 0, 0, on_next_process);
}

/* relay stands behind echo and does not stop in time, so the process that both are in ends. */
static void rest_for_one_ends_a_process_with_a_hung_actor(struct actor *driver)
{
    ask(driver, "relay", &rig_slow, 30000000, 0, on_ignored);
    ask(driver, "echo", &rig_break, 0, 0, on_ignored);
    next_process_ask(driver);
}

static void a_host_beyond_its_memory_is_started_again(struct actor *driver)
{
    ask(driver, "echo", &rig_hoard, 320, 0, on_ignored);
    next_process_ask(driver);
}

/* --- casts, topics, streams ------------------------------------------------------------------------ */

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

static void topic_check(struct driver *self)
{
    if (self->count == 500 && self->step == 1) {
        well();
    }
}

#define EVENTS_FIRST 299 /* steps */
#define EVENTS_TOO_FAST 300
#define EVENTS_FRESH 301
#define EVENTS_STOP 302 /* the publisher is told to stop while they wait for credit */
#define EVENT_BYTES 60000U

static void announce(struct actor *driver);
static void on_event_of_stopping(struct actor *driver, const struct msg_ping *event);

static int on_event(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct driver *self = state;
    const struct msg_ping *in = msg;

    if (span_is_text(actor_ctx_from(ctx), "echo/spawned")) {
        self->count += in->has_text || self->step == EVENTS_FRESH;
        if (self->step == EVENTS_STOP) {
            on_event_of_stopping(actor_ctx_actor(ctx), in);
        }
        return 0;
    }
    if (!in->has_text) { /* of those that ask whether the publisher knows us */
        if (self->step == EVENTS_FIRST && in->n == 1) {
            (self->on_known ? self->on_known : announce)(actor_ctx_actor(ctx));
        }
        return 0;
    }
    if (self->step == EVENTS_TOO_FAST) {
        check(in->n >= self->last, "events in order, across topics too");
        self->last = in->n + 1;
        self->count++;
        return 0;
    }
    check(in->n == self->count, "events in order, across topics too");
    self->count++;
    topic_check(self);
    return 0;
}

static void on_announced(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)actor;
    (void)cookie;
    check(!answer->failure, "announced");
    self->step = 1;
    topic_check(self);
}

static void on_gap(void *state, struct actor *actor, const struct actor_gap *gap)
{
    struct driver *self = state;

    (void)actor;
    check(span_is_text(gap->from, self->step == EVENTS_STOP ? "echo/spawned" : "echo"), "who it missed events of");
    check(gap->topic == &rig_event ? !gap->dropped : !gap->lost, "which of them it might miss");
    self->lost += gap->lost;
    self->dropped += gap->dropped;
}

/* The answer comes behind all events and gaps, so it is time to count. */
static void on_too_fast(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)actor;
    check(out && self->count + self->lost + self->dropped == out->n, "every event came or is known to be missing");
    check(self->dropped > 0, "droppable ones were left out at once");
    (void)cookie;
    check((self->lost > 0) == (out->n > 500), "others only beyond the bound");
    well();
}

static void announce(struct actor *driver)
{
    static char text[EVENT_BYTES];
    struct driver *self = driver_of(driver);
    bool is_large = self->expected != 500;
    struct msg_ping in = { .n = self->expected, .has_text = true, .text = { text, is_large ? sizeof(text) : 1 } };
    struct actor_call call = {
        .to = "echo", .msg = &rig_announce, .in = &in, .on_answer = is_large ? on_too_fast : on_announced
    };

    memset(text, 'x', sizeof(text));
    self->step = is_large ? EVENTS_TOO_FAST : 0;
    check(actor_call(driver, &call, NULL) == 0, "actor_call");
}

/* A subscription goes by way of the nodes and may be overtaken by a call to the publisher,
 * so a few events go first, until they come. */
static void first_ask(struct actor *driver)
{
    if (driver_of(driver)->step == EVENTS_FIRST) {
        ask(driver, "echo", &rig_announce, 2, 0, on_ignored);
        again_soon(driver, first_ask);
    }
}

static void announce_when_known(struct actor *driver, uint64_t n)
{
    driver_of(driver)->step = EVENTS_FIRST;
    driver_of(driver)->expected = n;
    first_ask(driver);
}

static void a_topic_reaches_every_subscriber(struct actor *driver)
{
    announce_when_known(driver, 500);
}

/* 15 MB in one go: more than the 8 MiB of credit, less than may wait besides. */
static void a_burst_beyond_the_credit_loses_droppable_events_alone(struct actor *driver)
{
    announce_when_known(driver, 250);
}

static void a_subscriber_hears_of_what_it_missed(struct actor *driver)
{
    announce_when_known(driver, 1000);
}

#define FRESH 6U

static void fresh_ask(struct actor *driver);

static void on_fresh(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    if (answer->failure) { /* it does not run yet */
        again_soon(actor, fresh_ask);
    } else if (self->count == FRESH) {
        well();
    } else {
        rig_verdict(false, "the answer came behind %llu of %u events", (unsigned long long)self->count, FRESH);
    }
}

static void fresh_ask(struct actor *driver)
{
    ask(driver, "echo/spawned", &rig_announce, FRESH, 0, on_fresh);
}

#define STOP_EVENTS 250U /* 15 MB: more than the 8 MiB of credit, less than may wait besides */
#define STOP_LOOKS 1000U

static void stop_ask(struct actor *driver);

static void on_stopping(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)state;
    (void)cookie;
    if (answer->failure) { /* it does not run yet */
        again_soon(actor, stop_ask);
    }
}

/* The first events of all, so that it knows its subscriber. */
static void stop_ask(struct actor *driver)
{
    ask(driver, "echo/spawned", &rig_announce, 2, 0, on_stopping);
}

static void stop_announce(struct actor *driver)
{
    static char text[EVENT_BYTES];
    struct msg_ping in = { .n = STOP_EVENTS, .has_text = true, .text = { text, sizeof(text) } };
    struct actor_call call = { .to = "echo/spawned", .msg = &rig_announce, .in = &in, .on_answer = on_ignored };

    memset(text, 'x', sizeof(text));
    check(actor_call(driver, &call, NULL) == 0, "actor_call");
}

static void stop_look(struct actor *driver)
{
    struct driver *self = driver_of(driver);
    bool is_long = self->expected > 500;

    if (self->count + self->lost + self->dropped == STOP_EVENTS) {
        check(self->dropped > 0, "droppable ones were left out at once");
        check((self->lost > 0) == is_long, "others only if the stop cannot wait for them");
        well();
    } else if (++self->last == STOP_LOOKS) {
        rig_verdict(false, "%llu came, %llu and %llu are known to be missing, of %u", (unsigned long long)self->count,
                    (unsigned long long)self->lost, (unsigned long long)self->dropped, STOP_EVENTS);
    } else {
        again_soon(driver, stop_look);
    }
}

static void on_event_of_stopping(struct actor *driver, const struct msg_ping *event)
{
    uint64_t end_ns = clock_mono_ns() + driver_of(driver)->expected * 1000000;

    if (!event->has_text && event->n == 1) {
        stop_announce(driver);
    } else if (event->has_text && event->n == 0) { /* it is told to stop, and finds us busy */
        check(actor_despawn(driver, "echo/spawned") == 0, "actor_despawn");
        while (clock_mono_ns() < end_ns) { /* the point of the scenario */
            (void)usleep(1000);
        }
        stop_look(driver);
    }
}

static void fresh_begin(struct actor *driver)
{
    struct driver *self = driver_of(driver);

    self->step = self->expected ? EVENTS_STOP : EVENTS_FRESH;
    check(actor_spawn(driver, "echo/spawned", "echo", "") == 0, "actor_spawn");
    (self->expected ? stop_ask : fresh_ask)(driver);
}

/* The directory knows the subscriber. Who publishes for the first time has still to ask it. */
static void an_answer_never_overtakes_the_first_events(struct actor *driver)
{
    driver_of(driver)->on_known = fresh_begin;
    announce_when_known(driver, 0);
}

/* Its wait for a subscriber's credit is half a second at most. */
static void a_stop_waits_for_what_is_still_to_be_said(struct actor *driver)
{
    driver_of(driver)->on_known = fresh_begin;
    announce_when_known(driver, 100);
}

static void a_stop_tells_what_it_cannot_wait_for(struct actor *driver)
{
    driver_of(driver)->on_known = fresh_begin;
    announce_when_known(driver, 3000);
}

#define NEWS_AT_READY 10U

static void on_heard_at_ready(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)state;
    (void)actor;
    (void)cookie;
    if (out && out->n == NEWS_AT_READY) {
        well();
    } else {
        rig_verdict(false, "%llu of %u heard", out ? (unsigned long long)out->n : 0ULL, NEWS_AT_READY);
    }
}

static void on_subscriber_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct driver *self = state;

    (void)address;
    if (life == ACTOR_LIFE_READY && self->step == 0) {
        self->step = 1;
        for (uint64_t i = 0; i < NEWS_AT_READY; i++) {
            check(actor_publish(actor, &rig_news, &(struct msg_ping){ .n = i }, NULL) == 0, "actor_publish");
        }
        ask(actor, "echo/spawned", &rig_heard, 0, 0, on_heard_at_ready);
    }
}

/* Its definition's topics are known to whoever hears that it is ready. */
static void who_is_ready_hears_its_topics(struct actor *driver)
{
    check(actor_publish(driver, &rig_news, &(struct msg_ping){ .n = 0 }, NULL) == 0, "the topic is not new");
    check(actor_watch(driver, "echo/spawned", on_subscriber_life) == 0, "actor_watch");
    check(actor_spawn(driver, "echo/spawned", "echo", "") == 0, "actor_spawn");
}

#define NEWS 3000U

static void news_ask(struct actor *actor);

static void on_missed_count(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    if (!out || self->count + out->n != NEWS) {
        again_soon(actor, news_ask); /* it is full, or not through yet */
        return;
    }
    check(out->n > 0, "more than fits was refused");
    well();
}

static void on_heard_count(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    const struct msg_pong *out = answer->msg;

    (void)cookie;
    if (!out) {
        again_soon(actor, news_ask);
        return;
    }
    ((struct driver *)state)->count = out->n;
    ask(actor, "echo", &rig_missed, 0, 0, on_missed_count);
}

static void news_ask(struct actor *actor)
{
    ask(actor, "echo", &rig_heard, 0, 0, on_heard_count);
}

/* While echo computes, more news than its mailbox takes arrive. */
static void a_full_mailbox_knows_what_it_refused(struct actor *driver)
{
    ask(driver, "echo", &rig_slow, 300000, 0, on_ignored);
    for (uint64_t i = 0; i < NEWS; i++) {
        check(actor_publish(driver, &rig_news, &(struct msg_ping){ .n = i }, NULL) == 0, "actor_publish");
    }
    news_ask(driver);
}

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

/* --- load ------------------------------------------------------------------------------------------------- */

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

/* --- dead letters, spawning, watching --------------------------------------------------------------------------- */

static int on_dead_letter(void *state, struct actor_ctx *ctx, const void *msg)
{
    struct span body = actor_ctx_body(ctx);

    (void)state;
    (void)msg;
    check(span_is_text(value_str(value_get(body, "to"), (struct span){ 0 }), "nobody"), "to whom");
    check(span_is_text(value_str(value_get(body, "name"), (struct span){ 0 }), "note"), "what");
    check(value_str(value_get(body, "reason"), (struct span){ 0 }).len > 0, "why");
    well();
    return 0;
}

static void dead_letter_cast(struct actor *actor)
{
    (void)actor_cast(actor, "nobody", &rig_note, &(struct msg_ping){ .n = 1 }, NULL);
    again_soon(actor, dead_letter_cast); /* the publisher learns of its subscriber by and by */
}

static void what_cannot_be_delivered_becomes_a_dead_letter(struct actor *driver)
{
    static const struct actor_route route = { &wire_dead_letters, on_dead_letter, ACTOR_RAW };

    check(actor_subscribe(driver, &route) == 0, "actor_subscribe");
    dead_letter_cast(driver);
}

static void spawned_ask(struct actor *actor);

static void on_spawned_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;

    (void)cookie;
    if (self->step == 0 && !answer->failure) {
        self->step = 1;
        check(actor_despawn(actor, "echo/spawned") == 0, "actor_despawn");
    } else if (self->step == 1 && failed_with(answer, FAIL_UNAVAILABLE)) {
        well();
        return;
    }
    again_soon(actor, spawned_ask);
}

static void spawned_ask(struct actor *actor)
{
    ask(actor, "echo/spawned", &rig_ping, 1, 0, on_spawned_answer);
}

static void an_actor_is_spawned_and_despawned(struct actor *driver)
{
    check(actor_spawn(driver, "echo/spawned", "echo", "") == 0, "actor_spawn");
    spawned_ask(driver);
}

static void lives_are_watched(struct actor *driver)
{
    driver_of(driver)->step = 200; /* the verdict comes from on_life: ready, back-off, ready */
    ask(driver, "echo", &rig_break, 1, 0, on_ignored);
}

/* --- the driver ----------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    rig_scenario play;
} scenarios[] = {
#define SCENARIO(fn)                                                                                                   \
    {                                                                                                                  \
#fn, fn                                                                                                        \
    }
    SCENARIO(a_call_is_answered),
    SCENARIO(an_absent_receiver_fails_at_once),
    SCENARIO(an_unknown_method_is_named),
    SCENARIO(a_broken_body_is_refused_with_its_field),
    SCENARIO(a_deadline_ends_a_call_and_tells_the_receiver),
    SCENARIO(a_failure_carries_its_details),
    SCENARIO(a_forwarded_call_is_answered_by_its_target),
    SCENARIO(a_forwarded_call_ends_with_its_target),
    SCENARIO(casts_arrive_in_order),
    SCENARIO(a_topic_reaches_every_subscriber),
    SCENARIO(an_answer_never_overtakes_the_first_events),
    SCENARIO(a_stop_waits_for_what_is_still_to_be_said),
    SCENARIO(a_stop_tells_what_it_cannot_wait_for),
    SCENARIO(who_is_ready_hears_its_topics),
    SCENARIO(a_burst_beyond_the_credit_loses_droppable_events_alone),
    SCENARIO(a_subscriber_hears_of_what_it_missed),
    SCENARIO(a_full_mailbox_knows_what_it_refused),
    SCENARIO(a_stream_stops_at_its_credit),
    SCENARIO(a_cancelled_stream_stops_its_sender),
    SCENARIO(a_broken_actor_answers_and_comes_back),
    SCENARIO(a_crash_ends_the_calls_it_held),
    SCENARIO(a_crash_loop_gives_up_and_says_so),
    SCENARIO(a_flood_is_refused_by_the_share_of_its_principal),
    SCENARIO(what_cannot_be_delivered_becomes_a_dead_letter),
    SCENARIO(an_actor_is_spawned_and_despawned),
    SCENARIO(rest_for_one_takes_along_those_behind),
    SCENARIO(rest_for_one_ends_a_process_with_a_hung_actor),
    SCENARIO(a_host_beyond_its_memory_is_started_again),
    SCENARIO(many_calls_in_flight_all_end),
    SCENARIO(lives_are_watched),
};

rig_scenario rig_scenario_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return scenarios[i].play;
        }
    }
    return NULL;
}

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct driver *self = state;
    bool is_ready = life == ACTOR_LIFE_READY;

    if (span_is_text(address, "echo")) {
        self->is_echo_ready = is_ready;
        if (self->step == 100 && life == ACTOR_LIFE_GAVE_UP) {
            well();
        } else if (self->step == 200 && life == ACTOR_LIFE_BACKOFF) {
            self->step = 201;
        } else if (self->step == 201 && is_ready) {
            well();
        }
    } else if (span_is_text(address, "relay")) {
        self->is_relay_ready = is_ready;
    }
    if (self->is_echo_ready && self->is_relay_ready && !self->is_started) {
        self->is_started = true;
        self->started_ns = clock_mono_ns();
        self->scenario(actor);
    }
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    struct driver *self = state;

    self->scenario = rig_scenario_find(arg);
    (void)uv_timer_init(actor_loop(actor), &self->timer);
    self->timer.data = actor;
    int r = actor_watch(actor, "echo", on_life);
    return r < 0 ? r : actor_watch(actor, "relay", on_life);
}

static void driver_deinit(void *state, struct actor *actor)
{
    struct driver *self = state;

    (void)actor;
    uv_close((uv_handle_t *)&self->timer, NULL);
}

static const struct actor_route driver_topics[] = {
    { &rig_event, on_event, 0 },
    { &rig_event_b, on_event, 0 },
};

const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct driver),
    .topics = driver_topics,
    .topics_n = ARRAY_LEN(driver_topics),
    .on_gap = on_gap,
    .init = driver_init,
    .deinit = driver_deinit,
};
